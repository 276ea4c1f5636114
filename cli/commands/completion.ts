/** `ptun completion`: the script of a shell, and what the script asks at each Tab. */
import type { Command } from 'commander'
import { beginningWith, type Candidate, type Source, wantedAt } from '../completion/candidates.ts'
import { accountNames } from '../completion/names.ts'
import { filesLine, type Shell, scripts } from '../completion/scripts.ts'
import { configName, readConfig } from '../config.ts'
import type { Context } from '../context.ts'
import { printable } from '../output/format.ts'

/** @param words of the command line behind `ptun`; none: the script is printed */
export async function completion(
  context: Context,
  program: Command,
  { shell, words }: { readonly shell: Shell; readonly words: readonly string[] },
): Promise<number> {
  if (words.length === 0) {
    context.stdout.write(scripts[shell])
    return 0
  }
  const typed =
    shell === 'powershell' ? [...words.slice(0, -1), (words.at(-1) ?? '').replace(/^:/, '')] : words
  const wanted = wantedAt(program, typed)
  if (wanted.kind === 'source' && wanted.source === 'files') {
    context.stdout.write(`${filesLine}\n`)
    return 0
  }
  const current = typed.at(-1) ?? ''
  const found =
    wanted.kind === 'values' ? wanted.values : beginningWith(await listOf(context, wanted), current)
  context.stdout.write(found.map((one) => `${lineFor(shell, one)}\n`).join(''))
  return 0
}

/** Nobody reads a failure while a line is being typed: then there is nothing to choose from. */
async function listOf(
  context: Context,
  { source, config = configName }: { readonly source: Source; readonly config?: string },
): Promise<readonly Candidate[]> {
  if (source === 'tunnels' || source === 'keys') return accountNames(context, source)
  try {
    const { tunnels } = await readConfig(config, context.env)
    return tunnels.flatMap(({ name, kind }) => (name === undefined ? [] : [{ value: name, text: kind }]))
  } catch {
    return []
  }
}

/** As the script of the shell reads it: with its text, where the shell shows it. */
function lineFor(shell: Shell, { value, text }: Candidate): string {
  const said = printable(text).replaceAll('\n', ' ')
  if (shell === 'bash') return value
  const plain = shell === 'zsh' ? value.replaceAll(':', '\\:') : value
  if (said === '') return plain
  return shell === 'zsh' ? `${plain}:${said}` : `${plain}\t${said}`
}
