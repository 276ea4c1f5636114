/** The command line of a release, as a person and as a program reads it. */
import { expect, test } from 'vitest'
import { main } from './main.ts'

async function release(...args: string[]) {
  let [out, error] = ['', '']
  const code = await main(args, {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (error += text) },
    signal: new AbortController().signal,
  })
  return { code, out, error }
}

test('a dry run shows every step, and says that it was one', async () => {
  const { code, out, error } = await release('--env', 'dev', '--dry-run')
  expect({ code, error }).toEqual({ code: 0, error: '' })
  expect(out.match(/^\d+ of 11: .+$/gm)).toHaveLength(11)
  expect(out).toMatch(/^ {2}\$ terraform .* {3}# /m)
  expect(out).toMatch(/\ndev: released, in this dry run\n$/)
})

test('with --json each line is an object, the last one the outcome', async () => {
  const { out } = await release('--env', 'dev', '--dry-run', '--rollback', '--json')
  const lines = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as object)
  expect(lines.at(-1)).toEqual({ outcome: 'rolled back' })
  expect(lines.filter((line) => 'command' in line).length).toBeGreaterThan(10)
})

test.each([
  [['--env', 'nowhere'], '--env dev|staging|prod'],
  [['--env', 'dev', '--bogus'], '--bogus'],
  [['--env', 'dev', '--resume', '--rollback'], 'exclude each other'],
  [['--env', 'dev', '--watch-minutes', '0'], 'a whole number from 1 to 120, not 0'],
  [['--env', 'dev', '--dry-run', '--resume'], 'No release of dev is under way'],
])('%s: refused with what is wrong, before anything runs', async (args, says) => {
  const { code, error } = await release(...args)
  expect(code).toBe(2)
  expect(error).toContain('PT-5320')
  expect(error).toContain(says)
  const { out } = await release(...args, '--json')
  expect(JSON.parse(out.trim().split('\n').at(-1) ?? '')).toMatchObject({ error: { code: 'PT-5320' } })
})
