/** Every command of the first steps is one that the real program takes, up to the point where it wants an account. */
import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { firstSteps } from './first-steps.ts'
import { readEnvironment } from './read-environment.ts'

const environment = readEnvironment('prod')
const commands = firstSteps(environment).flatMap((step) => step.commands)
const folder = mkdtempSync(join(tmpdir(), 'ptun-gcloud-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function hasGcloud(): boolean {
  try {
    execFileSync('gcloud', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Runs a line as the operator's shell would, without any account. */
function run(line: string): Promise<{ readonly code: number; readonly text: string }> {
  const env = {
    PATH: process.env.PATH,
    HOME: folder,
    CLOUDSDK_CONFIG: folder,
    CLOUDSDK_CORE_DISABLE_PROMPTS: '1',
  }
  return new Promise((resolve) =>
    execFile('bash', ['-c', line], { env }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, text: stdout + stderr }),
    ),
  )
}

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
