/** What may stand at the cursor of a command line of ptun, read from the program itself. Pure. */
import type { Argument, Command, Option } from 'commander'

export type Candidate = { readonly value: string; readonly text: string }

/** Lists that are not in the program: of the account, of ptun.yaml, of the disk. */
export type Source = 'tunnels' | 'keys' | 'config' | 'files'

export type Wanted =
  | { readonly kind: 'values'; readonly values: readonly Candidate[] }
  | {
      readonly kind: 'source'
      readonly source: Source /** --config, as it was written. */
      readonly config?: string
    }

/** Arguments by their command, and values of options, that come from a list. */
const sources: Readonly<Record<string, Source>> = {
  open: 'tunnels',
  delete: 'tunnels',
  'keys revoke': 'keys',
  start: 'config',
  'config check': 'files',
  '--tunnel': 'tunnels',
  '--config': 'files',
  '--auth-file': 'files',
  '--webhook-secret-file': 'files',
  '--upstream-ca': 'files',
}

const nothing: Wanted = { kind: 'values', values: [] }

type Place = {
  readonly command: Command
  readonly path: readonly string[]
  /** How many arguments stand before the cursor. */
  readonly count: number
  /** The option whose value is at the cursor. */
  readonly option?: Option | undefined
  readonly config?: string | undefined
  /** Behind `--` nothing is an option. */
  readonly isPlain: boolean
}

/**
 * @param words behind the program's name; the last is what stands at the cursor, perhaps empty
 * @returns candidates that begin with it, or the list that has them
 */
export function wantedAt(program: Command, words: readonly string[]): Wanted {
  const merged = mergeAssignments(words)
  const current = merged.at(-1) ?? ''
  const place = walk(program, merged.slice(0, -1))
  const { command, path, option, count, config, isPlain } = place
  if (option) return ofOption(option, current)
  const [, name, value] = isPlain ? [] : (/^(--[\w-]+)=(.*)$/.exec(current) ?? [])
  if (name !== undefined && value !== undefined) {
    const named = optionOf(command, name)
    const wanted = named ? ofOption(named, value) : nothing
    return wanted.kind === 'values'
      ? { ...wanted, values: wanted.values.map((one) => ({ ...one, value: `${name}=${one.value}` })) }
      : nothing
  }
  if (current.startsWith('-') && !isPlain) return values(optionsOf(command), current)
  if (command.commands.length > 0 && count === 0) return values(commandsOf(command), current)
  const argument = command.registeredArguments[count] ?? lastVariadic(command)
  if (!argument) return nothing
  if (argument.argChoices)
    return values(
      argument.argChoices.map((one) => ({ value: one, text: '' })),
      current,
    )
  const source = sources[path.join(' ')]
  return source ? { kind: 'source', source, ...(config !== undefined && { config }) } : nothing
}

/** Bash takes `=` for a word of its own. */
function mergeAssignments(words: readonly string[]): readonly string[] {
  return words.flatMap((word, at) => {
    if (word === '=' && words[at - 1]?.startsWith('--') && at < words.length - 1) return []
    return word === '=' && at === words.length - 1 ? [''] : [word]
  })
}

function walk(program: Command, words: readonly string[]): Place {
  let place: Place = { command: program, path: [], count: 0, isPlain: false }
  for (const word of words) place = step(place, word)
  return place
}

function step(place: Place, word: string): Place {
  const { command, option, count, isPlain, path } = place
  if (option && !(word.startsWith('-') && option.variadic)) {
    const config = option.long === '--config' ? word : place.config
    return { ...place, config, option: option.variadic ? option : undefined }
  }
  if (word === '--' && !isPlain) return { ...place, isPlain: true, option: undefined }
  if (word.startsWith('-') && !isPlain) {
    const [name = ''] = word.split('=')
    const found = optionOf(command, name)
    return { ...place, option: found?.required && !word.includes('=') ? found : undefined }
  }
  const child = count === 0 ? command.commands.find((one) => one.name() === word) : undefined
  return child
    ? { ...place, command: child, path: [...path, word], count: 0 }
    : { ...place, count: count + 1 }
}

function ofOption(option: Option, current: string): Wanted {
  if (option.argChoices)
    return values(
      option.argChoices.map((value) => ({ value, text: '' })),
      current,
    )
  const source = sources[option.long ?? '']
  return source ? { kind: 'source', source } : nothing
}

function values(all: readonly Candidate[], current: string): Wanted {
  return { kind: 'values', values: beginningWith(all, current) }
}

export function beginningWith(all: readonly Candidate[], current: string): readonly Candidate[] {
  return all.filter(({ value }) => value.startsWith(current))
}

/** Those of the command and of all above it. */
function allOptions(command: Command): readonly Option[] {
  return [...command.options, ...(command.parent ? allOptions(command.parent) : [])]
}

function optionOf(command: Command, name: string): Option | undefined {
  return allOptions(command).find(({ long, short }) => long === name || short === name)
}

function optionsOf(command: Command): readonly Candidate[] {
  const own = allOptions(command).filter(({ hidden, long }) => !hidden && long !== '--version')
  const help = { value: '--help', text: 'print help' }
  return [...own.flatMap(({ long, description }) => (long ? [{ value: long, text: description }] : [])), help]
}

function commandsOf(command: Command): readonly Candidate[] {
  return command.commands.map((one) => ({ value: one.name(), text: one.description() }))
}

function lastVariadic({ registeredArguments }: Command): Argument | undefined {
  const last = registeredArguments.at(-1)
  return last?.variadic ? last : undefined
}
