/** Every command of the first steps is one that the real program takes, up to the point where it wants an account. */
import { afterAll, expect, test } from 'vitest'
import { firstSteps } from './first-steps.ts'
import { readEnvironment } from './read-environment.ts'
import { hasGcloud, Shell } from './testing/shell.ts'

const environment = readEnvironment('prod')
const commands = firstSteps(environment).flatMap((step) => step.commands)
const shell = new Shell()
afterAll(() => shell[Symbol.dispose]())
const run = (line: string) => shell.run(line)

test.skipIf(!hasGcloud())(
  'gcloud takes every command, and then misses only an account',
  async () => {
    const lines = commands.filter((line) => line.startsWith('gcloud '))
    expect(lines.length).toBeGreaterThan(8)
    const results = await Promise.all(lines.map(run))
    for (const [index, { code, text }] of results.entries()) {
      expect(text, lines[index]).toContain('active account')
      expect(code, lines[index]).toBe(1)
    }
  },
  120_000,
)

test('what is sent by hand is JSON, and has its secrets from the shell alone', () => {
  const bodies = commands.flatMap((line) => /<<END\n([\s\S]*)\nEND$/.exec(line)?.[1] ?? [])
  expect(bodies).toHaveLength(3)
  for (const body of bodies) expect(() => JSON.parse(body)).not.toThrow()
  expect(bodies.join('')).toMatch(/\$GOOGLE_CLIENT_SECRET.*\$GITHUB_CLIENT_SECRET/)
})

test('a shell reads every line', async () => {
  for (const line of commands) expect(await run(`set -n\n${line}`)).toEqual({ code: 0, text: '' })
})

test('the key of the console is for sign-in, from the console alone', () => {
  const line = commands.find((command) => command.includes('api-keys create')) ?? ''
  expect([...line.matchAll(/--api-target=service=(\w+)/g)].map(([, name]) => name)).toEqual([
    'identitytoolkit',
    'securetoken',
  ])
  expect(line).toContain(`--allowed-referrers='https://${environment.consoleHost}/*'`)
})
