/**
 * What is wrong with a file that is no YAML, in words for who wrote it: the library's are about its grammar ("Nested
 * mappings are not allowed in compact mappings"). Used for ptun.yaml and for files that `ptun import` reads.
 */
import { type Document, isAlias, isCollection, isScalar, LineCounter, parseDocument, visit } from 'yaml'
import { at, type ConfigProblem } from './config-problems.ts'

type Fault = Document['errors'][number]
/** Where people have to look, as an offset into the text, and what is wrong there. */
type Slip = { readonly offset: number; readonly message: string }
type File = { readonly text: string; readonly document: Document; readonly lines: LineCounter }

/** Behind the first few everything is an echo of them. */
const problemsMax = 5

/** @param document of this text. @returns one problem a line; empty if it is YAML */
export function syntaxProblems(
  text: string,
  document: Document,
  lines: LineCounter,
): readonly ConfigProblem[] {
  const file = { text, document, lines }
  const slips = faultsOf(document).map((fault) => slipOf(fault, file))
  if (slips.length === 0) slips.push(...lostAliases(file))
  const byLine = new Map<number, ConfigProblem>()
  for (const { offset, message } of slips) {
    const place = at(lines, offset)
    if (!byLine.has(place.line)) byLine.set(place.line, { ...place, message })
  }
  return [...byLine.values()].slice(0, problemsMax)
}

/** What is wrong with another program's file, with its first line at fault; undefined if it is YAML. */
export function sayYamlFault(text: string): string | undefined {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const [first] = syntaxProblems(text, document, lines)
  return first && `line ${first.line}, column ${first.column}: ${first.message}`
}

/** A place that is wrong in two ways is one fault. */
function faultsOf({ errors }: Document): readonly Fault[] {
  return errors.filter(({ pos: [at] }, n) => errors.findIndex(({ pos: [other] }) => other === at) === n)
}

export const tooManyAliases = 'parts of it are repeated by references (*name) too often'

function slipOf(fault: Fault, file: File): Slip {
  const [offset] = fault.pos
  const line = lineAt(file, offset)
  if (/^(?:<{7}|={7}|>{7})(?: |$)/.test(line.text))
    return {
      offset: line.start,
      message: 'here two versions of the file were merged: keep one, and remove the marks',
    }
  const tab = /^[ \t]*?\t/.exec(line.text)
  if (tab && fault.code !== 'DUPLICATE_KEY')
    return { offset: line.start + tab[0].length - 1, message: 'a tab indents this line: use spaces' }
  return byCode[fault.code]?.(fault, file) ?? { offset, message: unknownText }
}

const unknownText = 'this cannot be read as YAML: quotes around a value often help'

type Read = (fault: Fault, file: File) => Slip | undefined

const byCode: Readonly<Partial<Record<Fault['code'], Read>>> = {
  BLOCK_AS_IMPLICIT_KEY: tooMuchInALine,
  MULTILINE_IMPLICIT_KEY: noKey,
  MISSING_CHAR: missing,
  BAD_INDENT: badIndent,
  UNEXPECTED_TOKEN: unexpected,
  BLOCK_IN_FLOW: ({ pos: [offset] }) => ({
    offset,
    message: 'a comma is missing before or behind this entry',
  }),
  DUPLICATE_KEY: twice,
  BAD_SCALAR_START: ({ pos: [offset] }, { text }) => ({
    offset,
    message: `no value begins with ${text[offset]}: put quotes around it`,
  }),
  BAD_DQ_ESCAPE: ({ pos: [offset] }) => ({
    offset,
    message: `in double quotes a backslash begins a special letter: use single quotes, or write \\\\`,
  }),
  MULTIPLE_DOCS: ({ pos: [offset] }) => ({
    offset,
    message: '--- begins another document, and only one is read: remove the line',
  }),
  KEY_OVER_1024_CHARS: ({ pos: [offset] }) => ({ offset, message: 'a key has at most 1024 letters' }),
  TAB_AS_INDENT: ({ pos: [offset] }) => ({ offset, message: 'a tab stands here: use spaces' }),
  MULTIPLE_ANCHORS: ({ pos: [offset] }) => ({ offset, message: 'a value has one name (&name) at most' }),
  BAD_ALIAS: ({ pos: [offset] }) => ({
    offset,
    message: '& and * begin a name in YAML: put quotes around the value',
  }),
}

/** `web: kind: http`, or a line that is indented as if it belonged to the value above. */
function tooMuchInALine({ pos: [offset] }: Fault, file: File): Slip {
  const line = lineAt(file, offset)
  const rest = file.text.slice(offset, line.start + line.text.length)
  if (/:(?:\s|$)/.test(rest.replace(/\s#.*/, '')))
    return {
      offset,
      message:
        'a second "key: value" in one line: begin a new line, or put quotes around a value with a colon in it',
    }
  const next = /\n(?:[ \t]*(?:#.*)?\r?\n)*([ \t]*)\S/d.exec(file.text.slice(offset))
  return next?.indices?.[1]
    ? {
        offset: offset + next.indices[1][1],
        message: 'this line is indented further than the one it belongs to',
      }
    : { offset, message: unknownText }
}

/** A line of which nothing is a key. */
function noKey({ pos: [offset] }: Fault, file: File): Slip {
  const line = lineAt(file, offset)
  const written = file.text.slice(offset, line.start + line.text.length)
  const [, key, value] = /^([\w-]+):(\S.*)$/.exec(written) ?? []
  if (key !== undefined && value !== undefined)
    return {
      offset: offset + key.length + 1,
      message: `a space is missing behind the colon: ${key}: …`,
    }
  if (/^-[^\s-]/.test(written)) return { offset: offset + 1, message: 'a space is missing behind the hyphen' }
  return { offset, message: 'a colon is missing: a line says "key: value"' }
}

function missing(fault: Fault, file: File): Slip | undefined {
  const [offset] = fault.pos
  const { message } = fault
  if (/closing ['"]quote/.test(message))
    return { offset: openQuote(file) ?? offset, message: 'this quote is not closed' }
  if (/^Implicit map keys/.test(message)) return noKey(fault, file)
  if (/^Comments must/.test(message)) return { offset, message: 'a space is missing before the #' }
  if (/^Missing space after :/.test(message))
    return { offset, message: 'a space is missing behind the colon' }
  if (/^Missing ,/.test(message))
    return { offset, message: "a comma is missing here; in 'quotes' a ' is written twice" }
  if (/^Sequence item without/.test(message))
    return { offset, message: 'a hyphen is missing: here a list goes on' }
  const opener = openBracket(file)
  return opener === undefined
    ? undefined
    : { offset: opener, message: `this ${file.text[opener]} is not closed` }
}

function badIndent({ pos: [offset], message }: Fault, file: File): Slip {
  const opener = /^Flow /.test(message) ? openBracket(file) : undefined
  if (opener !== undefined) return { offset: opener, message: `this ${file.text[opener]} is not closed` }
  const { start, text } = lineAt(file, offset)
  return {
    offset: Math.max(offset, start + (/^\s*/.exec(text)?.[0].length ?? 0)),
    message: 'this line is indented differently from those it belongs to: they begin in the same column',
  }
}

function unexpected({ pos: [offset], message }: Fault, { text }: File): Slip {
  const sign = text[offset] ?? ''
  if (/^[\]}]$/.test(sign)) return { offset, message: `no bracket was opened that this ${sign} closes` }
  if (sign === ',') return { offset, message: 'a value is missing before this comma' }
  if (/node end/.test(message))
    return { offset, message: 'the value ended before this: put quotes around all of it, or remove the rest' }
  return { offset, message: unknownText }
}

function twice({ pos: [offset] }: Fault, { document, lines }: File): Slip {
  let said = 'this key is there twice'
  visit(document, {
    Map(_key, map) {
      const again = map.items.find(({ key }) => isScalar(key) && key.range?.[0] === offset)
      if (!again || !isScalar(again.key)) return undefined
      const { value } = again.key
      const first = map.items.find(({ key }) => isScalar(key) && key.value === value)
      if (isScalar(first?.key) && first.key.range)
        said = `"${value}" is there twice, first in line ${at(lines, first.key.range[0]).line}: remove one`
      return visit.BREAK
    },
  })
  return { offset, message: said }
}

/** `*.example.com` without quotes is a reference to a name of the file. */
function lostAliases({ document }: File): readonly Slip[] {
  const slips: Slip[] = []
  visit(document, {
    Alias(_key, alias) {
      if (!isAlias(alias) || alias.resolve(document) !== undefined) return
      const message =
        '* begins a reference to another place: put quotes around the value, as in "*.example.com"'
      slips.push({ offset: alias.range?.[0] ?? 0, message })
    },
  })
  return slips
}

/** Where the text begins whose quote is open at the end of the file: the last quoted one. */
function openQuote({ document }: File): number | undefined {
  let found: number | undefined
  visit(document, {
    Scalar(_key, { type, range }) {
      if ((type === 'QUOTE_DOUBLE' || type === 'QUOTE_SINGLE') && range) found = range[0]
    },
  })
  return found
}

/** The first bracket that is not closed. */
function openBracket({ text }: File): number | undefined {
  let found: number | undefined
  visit(parseDocument(text, { keepSourceTokens: true, prettyErrors: false }), (_key, node) => {
    if (!isCollection(node) || node.srcToken?.type !== 'flow-collection') return undefined
    const isClosed = node.srcToken.end.some(({ type }) => type === 'flow-map-end' || type === 'flow-seq-end')
    if (isClosed) return undefined
    found = node.range?.[0]
    return visit.BREAK
  })
  return found
}

function lineAt({ text }: File, offset: number): { readonly start: number; readonly text: string } {
  const start = text.lastIndexOf('\n', offset - 1) + 1
  const [line = ''] = text.slice(start).split(/\r?\n/, 1)
  return { start, text: line }
}
