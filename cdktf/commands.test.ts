/** Tests that an operator reads one line, and no stack, when something is missing or misspelt. */
import { execFile } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { terraformMissing } from './offline/workbench.ts'

const programs = mkdtempSync(join(tmpdir(), 'ptun-programs-'))
symlinkSync(process.execPath, join(programs, 'node'))
afterAll(() => rmSync(programs, { recursive: true, force: true }))

function run(file: string, args: readonly string[], path = process.env.PATH) {
  const env = { ...process.env, PATH: path }
  return new Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>((resolve) =>
    execFile(process.execPath, [join(import.meta.dirname, file), ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
    ),
  )
}

const known = ': dev, staging, prod\n'

test.each(['main.ts', 'plan.ts', 'cost.ts', 'first-steps.ts'])(
  '%s: an environment that does not exist is one line with those that do',
  async (file) => {
    if (file === 'plan.ts' && terraformMissing()) return
    const stderr = `No environment production${known}`
    expect(await run(file, ['--env', 'production'])).toEqual({ code: 1, stdout: '', stderr })
  },
)

test('no environment, or a word that is no option, is one line', async () => {
  // All of them read their words in command.ts; this one starts in a third of the time.
  expect(await run('first-steps.ts', [])).toEqual({ code: 1, stdout: '', stderr: `No environment ${known}` })
  expect(await run('first-steps.ts', ['--environment', 'dev'])).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^Unknown option '--environment'/),
  })
})

test('the stacks are written, one file each', async () => {
  const { code, stdout, stderr } = await run('main.ts', ['--env', 'dev'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toBe(
    'Synthesised for dev: project, network, identity, control, relays, edge, observability\n',
  )
})

test('a plan without Terraform, or with an old one, says where to get it', async () => {
  const cure = 'https://developer.hashicorp.com/terraform/install, 1.11 or later\n'
  expect(await run('plan.ts', ['--env', 'dev'], programs)).toMatchObject({
    code: 1,
    stderr: `terraform is missing: ${cure}`,
  })
  const old = join(programs, 'terraform')
  writeFileSync(old, `#!/bin/sh\necho '{"terraform_version": "1.9.8"}'\n`)
  chmodSync(old, 0o755)
  expect(await run('plan.ts', ['--env', 'dev'], `${programs}:/bin`)).toMatchObject({
    code: 1,
    stderr: `terraform is 1.9.8: ${cure}`,
  })
})
