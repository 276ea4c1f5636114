/** Which commit an action is pinned to, asked of real git repositories. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@porttunneler/shared/base/clock'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { pinned, pinsOf } from './pins.ts'
import { spawning } from './spawn.ts'

const folder = mkdtempSync(join(tmpdir(), 'ptun-pins-'))
const repository = join(folder, 'owner/action')
const run = spawning({ clock: systemClock, signal: new AbortController().signal, cwd: folder })
const git = (...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args], {
    cwd: repository,
    encoding: 'utf8',
  }).trim()
let commit = ''

beforeAll(() => {
  mkdirSync(repository, { recursive: true })
  git('init', '--quiet')
  git('commit', '--quiet', '--allow-empty', '-m', 'one')
  git('tag', 'v1.0.0')
  git('tag', '-a', 'v1.1.0', '-m', 'with a message')
  commit = git('rev-parse', 'HEAD')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const old = '0'.repeat(40)

test.each([
  ['an old commit', `      - uses: owner/action@${old} # v1.0.0`, `      - uses: owner/action@%s # v1.0.0`],
  ['a tag with a message', `uses: owner/action@${old} # v1.1.0`, 'uses: owner/action@%s # v1.1.0'],
  ['a version without a commit', '- uses: owner/action@v1.0.0', '- uses: owner/action@%s # v1.0.0'],
  ['a part of an action', `uses: owner/action/part@${old} # v1.0.0`, 'uses: owner/action/part@%s # v1.0.0'],
  ['other lines', 'run: npm ci', 'run: npm ci'],
])('%s: the commit that its version has', async (_, before, after) => {
  expect(await pinned(before, run, folder)).toBe(after.replace('%s', commit))
})

test('a version that does not exist is an error, not a guess', async () => {
  await expect(pinned('uses: owner/action@v9.9.9', run, folder)).rejects.toMatchObject({
    key: 'release.answer',
  })
})

test('pins are read with their versions', () => {
  expect(pinsOf(`    - uses: a/b/c@${old} # v1.0.0\n    - uses: d/e@main`)).toEqual([
    { action: 'a/b', commit: old, version: 'v1.0.0' },
    { action: 'd/e', commit: 'main', version: undefined },
  ])
})
