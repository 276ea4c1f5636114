/**
 * Actions of the workflows are named by commit, because a tag can be moved. `npm run pin-actions` writes the commit of
 * the version in each line's comment (so change the comment to update one); with `--check` it only compares. It asks
 * GitHub by git.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { systemClock } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import type { Run } from './command.ts'
import { spawning } from './spawn.ts'

/** `uses: owner/name/path@commit # v1.2.3` */
const line = /^(\s*(?:- )?uses: )([\w-]+\/[\w.-]+)((?:\/[\w./-]+)?)@(\S+)(?: # (v\S+))?$/

export type Pin = {
  readonly action: string
  readonly commit: string
  /** Undefined: the line has no comment with one. */
  readonly version: string | undefined
}

/** The actions that a workflow uses. */
export function pinsOf(text: string): readonly Pin[] {
  return text.split('\n').flatMap((one) => {
    const [, , action, , commit, version] = line.exec(one) ?? []
    return action === undefined || commit === undefined ? [] : [{ action, commit, version }]
  })
}

/**
 * The text with the commit of each version. A line that names a version instead of a commit gets one too.
 * @throws release.answer for a version that the action has not
 */
export async function pinned(text: string, run: Run, origin = 'https://github.com'): Promise<string> {
  const known = new Map<string, string>()
  const lines: string[] = []
  for (const one of text.split('\n')) {
    const [, head, action, path, ref = '', comment] = line.exec(one) ?? []
    const version = comment ?? (ref.startsWith('v') ? ref : undefined)
    if (action === undefined || version === undefined) {
      lines.push(one)
      continue
    }
    const key = `${action} ${version}`
    const commit = known.get(key) ?? (await commitOf(`${origin}/${action}`, version, run))
    known.set(key, commit)
    lines.push(`${head}${action}${path}@${commit} # ${version}`)
  }
  return lines.join('\n')
}

async function commitOf(repository: string, version: string, run: Run): Promise<string> {
  const answer = await run({
    program: 'git',
    args: ['ls-remote', '--tags', repository, `refs/tags/${version}`, `refs/tags/${version}^{}`],
    why: `the commit of ${version}`,
  })
  const found = answer.split('\n').flatMap((one) => {
    const [, commit, name] = /^([0-9a-f]{40})\t(\S+)$/.exec(one) ?? []
    return commit === undefined || name === undefined ? [] : [{ commit, name }]
  })
  // A tag with a message is an object of its own; `^{}` is the commit that it is on.
  const commit = (found.find(({ name }) => name.endsWith('^{}')) ?? found[0])?.commit
  if (commit === undefined) throw fail('release.answer', `${repository} has no tag ${version}`)
  return commit
}

if (import.meta.main) {
  const folder = join(import.meta.dirname, '../.github/workflows')
  const run = spawning({ clock: systemClock, signal: new AbortController().signal, cwd: folder })
  const isCheck = process.argv.includes('--check')
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    const text = readFileSync(path, 'utf8')
    const right = await pinned(text, run)
    if (right === text) continue
    process.stdout.write(`${name}: ${isCheck ? 'commits are not those of the versions' : 'written'}\n`)
    if (isCheck) process.exitCode = 1
    else writeFileSync(path, right)
  }
}
