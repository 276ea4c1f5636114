/** Asks a person before something happens that they cannot take back. */
import { createInterface } from 'node:readline/promises'
import { fail } from '@porttunneler/shared/base/errors'
import type { Context } from '../context.ts'

/** @param act what asks, such as "Deleting". @throws cli.usage where nobody can be asked */
export async function askYes(
  { stdout, isJson }: Context,
  { act, question }: { readonly act: string; readonly question: string },
): Promise<boolean> {
  if (isJson || !stdout.isTTY || !process.stdin.isTTY)
    throw fail('cli.usage', `${act} asks for confirmation; add --yes where nobody can be asked.`)
  const reader = createInterface({ input: process.stdin, output: process.stdout })
  const answer = await reader.question(`${question} [y/N] `)
  reader.close()
  return /^y(es)?$/i.test(answer.trim())
}
