/**
 * Options of the programs that `npm run` starts (chaos, soak, bench, fuzz, attack, signalling): parsed, and shown by
 * `--help`. An option that is not there ends the program with 2 and the same text.
 */
import { type ParseArgsConfig, parseArgs } from 'node:util'

type Option = NonNullable<ParseArgsConfig['options']>[string] & {
  readonly says: string
  /** What its value is, as the help shows it. */
  readonly value?: string
}
type Values<T extends Record<string, Option>> = ReturnType<typeof parseArgs<{ options: T }>>['values']

export type Program<T extends Record<string, Option>> = {
  /** As in `npm run <name>`. */
  readonly name: string
  readonly what: string
  /** How long a run takes, and what it needs. */
  readonly takes: string
  readonly options: T
}

/** What was given on the command line, or by default. Ends the process where help was asked for, or is needed. */
export function readOptions<T extends Record<string, Option>>(program: Program<T>): Values<T> {
  if (process.argv.some((argument) => argument === '--help' || argument === '-h')) {
    process.stdout.write(helpText(program))
    process.exit(0)
  }
  try {
    return parseArgs({ options: program.options }).values
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${helpText(program)}`)
    process.exit(2)
  }
}

function helpText({ name, what, takes, options }: Program<Record<string, Option>>): string {
  const rows = Object.entries(options).map(([key, { value, says, default: usual }]) => {
    const isUsual = usual === undefined || usual === false || usual === '' || Array.isArray(usual)
    return { flag: `--${key}${value ? ` <${value}>` : ''}`, says: isUsual ? says : `${says} (${usual})` }
  })
  rows.push({ flag: '--help', says: 'this text' })
  const width = Math.max(...rows.map(({ flag }) => flag.length))
  const lines = rows.map(({ flag, says }) => `  ${flag.padEnd(width)}  ${says}`)
  return `npm run ${name} -- [options]\n\n${what}\n${takes}\n\n${lines.join('\n')}\n`
}
