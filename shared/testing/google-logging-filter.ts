/** The Logging query language, as far as it has to be understood to refuse what Google would refuse. */

export type Entry = {
  readonly insertId: string
  readonly logName: string
  readonly timestamp: string
  readonly severity?: string
  readonly trace?: string
  readonly resource: { readonly type: string; readonly labels: Readonly<Record<string, string>> }
  readonly labels: Readonly<Record<string, string>>
  readonly jsonPayload?: Readonly<Record<string, unknown>>
  readonly textPayload?: string
}
type Matches = (entry: Entry) => boolean

/** Fields of a LogEntry; others are refused. */
const known =
  /^(?:insertId|logName|timestamp|severity|trace|textPayload|(?:jsonPayload|labels|resource)\.[\w.]+)$/
const severities = [
  'DEFAULT',
  'DEBUG',
  'INFO',
  'NOTICE',
  'WARNING',
  'ERROR',
  'CRITICAL',
  'ALERT',
  'EMERGENCY',
]
const tokenShape = /\s*(\(|\)|,|"(?:[^"\\]|\\["\\])*"|>=|<=|!=|=|:\*|[A-Za-z_][\w.]*|\n)/y

/** @returns what is wrong with it, where it is not understood */
export function parseFilter(text: string): Matches | string {
  try {
    const parser = new Parser(tokensOf(text))
    const matches = parser.conjunction()
    parser.end()
    return matches
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function tokensOf(text: string): string[] {
  const tokens: string[] = []
  tokenShape.lastIndex = 0
  let at = 0
  while (text.slice(at).trim() !== '') {
    tokenShape.lastIndex = at
    const token = tokenShape.exec(text)?.[1]
    if (token === undefined) throw new Error(`Unparseable filter at ${at}: ${text.slice(at, at + 20)}`)
    tokens.push(token)
    at = tokenShape.lastIndex
  }
  return tokens
}

class Parser {
  readonly #tokens: readonly string[]
  #at = 0

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens
  }

  /** Terms beside each other are joined by AND, which binds less than OR. */
  conjunction(): Matches {
    const terms: Matches[] = []
    while (this.#peek !== undefined && this.#peek !== ')') {
      if (this.#peek === 'AND') this.#next()
      terms.push(this.#disjunction())
    }
    return (entry) => terms.every((term) => term(entry))
  }

  end(): void {
    if (this.#peek !== undefined) throw new Error(`Unexpected ${this.#peek}`)
  }

  #disjunction(): Matches {
    const terms = [this.#term()]
    while (this.#peek === 'OR') {
      this.#next()
      terms.push(this.#term())
    }
    return (entry) => terms.some((term) => term(entry))
  }

  #term(): Matches {
    const token = this.#next()
    if (token === '(') {
      const inner = this.conjunction()
      this.#expect(')')
      return inner
    }
    if (token === 'SEARCH' || token === 'log_id') return this.#call(token)
    if (!known.test(token)) throw new Error(`Field not found: ${token}`)
    const operator = this.#next()
    if (operator === ':*') return (entry) => valueAt(entry, token) !== undefined
    const wanted = this.#next()
    const value = wanted.startsWith('"') ? unquoted(wanted) : wanted
    if (token === 'severity') return bySeverity(operator, value)
    if (!wanted.startsWith('"')) throw new Error(`Expected a quoted value, not ${wanted}`)
    if (token === 'timestamp') return byTime(operator, value)
    if (operator !== '=') throw new Error(`Operator ${operator} is not for ${token}`)
    return (entry) => String(valueAt(entry, token) ?? '').toLowerCase() === value.toLowerCase()
  }

  #call(name: string): Matches {
    this.#expect('(')
    const first = this.#next()
    const isPart = name === 'SEARCH' && (first === 'jsonPayload' || first === 'textPayload')
    if (isPart) this.#expect(',')
    const argument = isPart ? this.#next() : first
    if (!argument.startsWith('"')) throw new Error(`${name} wants a text`)
    this.#expect(')')
    const text = unquoted(argument)
    if (name === 'log_id') return ({ logName }) => logName.endsWith(`/logs/${encodeURIComponent(text)}`)
    const phrase = /^`([^`]*)`$/.exec(text)?.[1]
    if (phrase === undefined) throw new Error('Only a text in backticks is looked for here')
    return (entry) =>
      ` ${tokensIn(allOf(isPart ? valueAt(entry, first) : entry))} `.includes(` ${tokensIn(phrase)} `)
  }

  get #peek(): string | undefined {
    return this.#tokens[this.#at]
  }

  #next(): string {
    const token = this.#tokens[this.#at++]
    if (token === undefined) throw new Error('Unexpected end of filter')
    return token
  }

  #expect(token: string): void {
    const found = this.#next()
    if (found !== token) throw new Error(`Expected ${token}, not ${found}`)
  }
}

function bySeverity(operator: string, value: string): Matches {
  const wanted = severities.indexOf(value)
  if (wanted < 0) throw new Error(`No severity ${value}`)
  const rank = ({ severity = 'DEFAULT' }: Entry) => severities.indexOf(severity)
  if (operator === '>=') return (entry) => rank(entry) >= wanted
  if (operator === '=') return (entry) => rank(entry) === wanted
  throw new Error(`Operator ${operator} is not for severity here`)
}

function byTime(operator: string, value: string): Matches {
  const wanted = Date.parse(value)
  if (!/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value) || Number.isNaN(wanted)) throw new Error(`No time: ${value}`)
  if (operator === '>=') return ({ timestamp }) => Date.parse(timestamp) >= wanted
  if (operator === '<=') return ({ timestamp }) => Date.parse(timestamp) <= wanted
  throw new Error(`Operator ${operator} is not for timestamp here`)
}

function valueAt(entry: Entry, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (value, name) =>
        typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined,
      entry,
    )
}

/** SEARCH looks at all fields, or at those of a part, word by word and in any case. */
function allOf(part: unknown): string {
  const parts: string[] = []
  const collect = (value: unknown) => {
    if (typeof value === 'object' && value !== null) for (const each of Object.values(value)) collect(each)
    else parts.push(String(value))
  }
  if (part !== undefined) collect(part)
  return parts.join('\n')
}

function tokensIn(text: string): string {
  return (text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).join(' ')
}

function unquoted(token: string): string {
  return token.slice(1, -1).replaceAll(/\\(["\\])/g, '$1')
}
