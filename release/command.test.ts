/** How commands are shown, run and ended. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@porttunneler/shared/base/clock'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { expect, test, vi } from 'vitest'
import { z } from 'zod'
import { ask, type Command, commandLine } from './command.ts'
import { spawning } from './spawn.ts'

const never = new AbortController().signal
const run = spawning({ clock: systemClock, signal: never, cwd: import.meta.dirname })
const script = (text: string, more: Partial<Command> = {}): Command => ({
  program: 'node',
  args: ['-e', text],
  why: 'a test',
  ...more,
})

test('a command is shown as one would type it, without what is secret', () => {
  expect(
    commandLine({
      program: 'curl',
      args: ["it's", '--to=a,b', 'https://x.example/?a&b'],
      why: '',
      input: 'hidden',
      secrets: { PTUN_KEY: 'hidden' },
    }),
  ).toBe(`PTUN_KEY=[secret] curl 'it'\\''s' --to=a,b 'https://x.example/?a&b' < [input]`)
})

test('a program gets its input and its secrets, and what it prints comes back', async () => {
  const text = "process.stdin.on('data', (chunk) => process.stdout.write(chunk + process.env.KEY))"
  expect(await run(script(text, { input: 'input ', secrets: { KEY: 'key' } }))).toBe('input key')
})

test('a failure names the command and what the program said last, but no secret', async () => {
  const failed = run(
    script('console.error("bad " + process.env.KEY); process.exit(3)', { secrets: { KEY: 'hidden' } }),
  )
  await expect(failed).rejects.toMatchObject({
    key: 'release.command',
    detail: expect.stringMatching(/it ended with 3\nbad \[secret\]$/) as string,
    fields: { lastWords: 'bad [secret]' },
  })
})

test('a failure quotes what the program printed, but not where that may hold secrets', async () => {
  const fails = script('console.log("value"); process.exit(3)')
  await expect(run(fails)).rejects.toMatchObject({ fields: { lastWords: 'value' } })
  await expect(run({ ...fails, printsSecrets: true })).rejects.toMatchObject({
    detail: expect.stringMatching(/it ended with 3$/) as string,
    fields: { lastWords: '' },
  })
})

test('a program that is not installed is a failure like another', async () => {
  const nowhere = spawning({ clock: systemClock, signal: never, cwd: `${import.meta.dirname}/none` })
  await expect(nowhere(script(''))).rejects.toMatchObject({ key: 'release.command' })
})

test('a program that takes too long is ended', async () => {
  const clock = new FakeClock()
  const waiting = spawning({ clock, signal: never, cwd: import.meta.dirname })(
    script('setInterval(() => {}, 1000)', { minutes: 2 }),
  )
  clock.advance(2 * 60_000)
  await expect(waiting).rejects.toMatchObject({
    detail: expect.stringContaining('longer than 2 min') as string,
  })
  expect(clock.pending).toBe(0)
})

test('what a program has started ends with it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ptun-spawn-'))
  const marker = join(folder, 'runs')
  const clock = new FakeClock()
  // Its child has the same stdout, so the run is over only when both are.
  const child = `require('node:fs').writeFileSync(${JSON.stringify(marker)}, ''); setInterval(() => {}, 1000)`
  const text = `require('node:child_process').spawnSync(process.execPath, ['-e', ${JSON.stringify(child)}], { stdio: 'inherit' })`
  const waiting = spawning({ clock, signal: never, cwd: folder })(script(text, { minutes: 1 }))
  await vi.waitFor(() => expect(existsSync(marker)).toBe(true), { timeout: 25_000 })
  clock.advance(60_000)
  await expect(waiting).rejects.toMatchObject({ key: 'release.command' })
  rmSync(folder, { recursive: true })
})

test('an interrupted release ends its program, and begins no other', async () => {
  const interrupt = new AbortController()
  const stopped = spawning({ clock: systemClock, signal: interrupt.signal, cwd: import.meta.dirname })
  const waiting = stopped(script('setInterval(() => {}, 1000)'))
  interrupt.abort()
  await expect(waiting).rejects.toMatchObject({ detail: expect.stringContaining('interrupted') as string })
  expect(() => stopped(script(''))).toThrow()
})

test('what is no JSON, or another JSON, is an error that names the program', async () => {
  const says = (text: string) => ask(async () => text, z.object({ a: z.int() }), script(''))
  await expect(says('{"a": 1}')).resolves.toEqual({ a: 1 })
  await expect(says('nothing')).rejects.toMatchObject({
    key: 'release.answer',
    detail: 'node (a test) did not print JSON',
  })
  await expect(says('{"a": "1"}')).rejects.toMatchObject({
    key: 'release.answer',
    detail: expect.stringContaining('a: ') as string,
  })
})
