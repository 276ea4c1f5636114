/**
 * What a release runs: every command goes through one function of the type `Run`, so that a dry run prints them, tests
 * answer them, and a real release spawns them (spawn.ts). All of them can be repeated: a release that crashed between
 * a command and its record runs it again.
 */
import { fail } from '@porttunneler/shared/base/errors'
import type { z } from 'zod'

export type ProgramName =
  | 'curl'
  | 'firebase'
  | 'gcloud'
  | 'gh'
  | 'git'
  | 'node'
  | 'npm'
  | 'sha256sum'
  | 'terraform'

export type Command = {
  readonly program: ProgramName
  readonly args: readonly string[]
  /** For a person who reads along: a few words, without a full stop. */
  readonly why: string
  /** Standard input. It may hold secrets, so nobody prints it. */
  readonly input?: string
  /** Variables that only this command gets; their values are never printed. */
  readonly secrets?: Readonly<Record<string, string>>
  /** What it writes to stdout may hold secrets, so a failure does not quote it. */
  readonly printsSecrets?: true
  /** How long it may take. */
  readonly minutes?: number
}

/** A failure is an exit code; what passes by itself (a timeout, 429, 503) is tried again. */
export const curlFlags = [
  '--fail-with-body',
  '--silent',
  '--show-error',
  '--max-time',
  '30',
  '--retry',
  '3',
] as const

/**
 * Resolves to what the program wrote to stdout.
 * @throws release.command when the program fails, takes too long or is missing
 */
export type Run = (command: Command) => Promise<string>

/** As one would type it, with names for secrets. */
export function commandLine({ program, args, secrets = {}, input }: Command): string {
  const variables = Object.keys(secrets).map((name) => `${name}=[secret]`)
  const words = [program, ...args].map(quoted)
  return [...variables, ...words, ...(input === undefined ? [] : ['<', '[input]'])].join(' ')
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

/**
 * Parses what a program printed as JSON.
 * @throws release.answer
 */
export function parseAnswer<T>(schema: z.ZodType<T>, text: string, { program, why }: Command): T {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw fail('release.answer', `${program} (${why}) did not print JSON`, { cause })
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw fail('release.answer', `${program} (${why}): ${issue?.path.join('.')}: ${issue?.message}`)
}

/** Runs a command that prints JSON. */
export async function ask<T>(run: Run, schema: z.ZodType<T>, command: Command): Promise<T> {
  return parseAnswer(schema, await run(command), command)
}
