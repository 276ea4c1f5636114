import { fork } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { afterEach, expect, test } from 'vitest'
import { SupervisedProgram } from './supervisor.ts'

const file = fileURLToPath(new URL('testing/child.ts', import.meta.url))
const guard = fileURLToPath(new URL('orphan-guard.ts', import.meta.url))
const started: SupervisedProgram[] = []
afterEach(async () => {
  for (const program of started.splice(0)) program.kill()
})

/** Starts the test child; `next('message' | 'line' | 'exit')` waits for what it does next. */
function supervise(behaviour: string, spawn: typeof fork = fork) {
  const clock = new FakeClock()
  const events = new EventEmitter()
  const program = new SupervisedProgram(
    {
      file,
      args: [behaviour],
      env: { PT_TEST_VARIABLE: 'set' },
      finalExitCodes: [2],
      onMessage: (message) => events.emit('message', message),
      onLine: (line) => events.emit('line', line),
      onExit: (exit) => events.emit('exit', exit),
    },
    { clock, random: () => 0.5, spawn },
  )
  started.push(program)
  const next = async (name: string) => (await once(events, name))[0]
  return { clock, program, next }
}

test('supervisor: lines, messages in both directions and the environment pass', async () => {
  const { program, next } = supervise('serve')
  const [line, ready] = [next('line'), next('message')]
  program.start()
  expect(await line).toBe('serving')
  expect(await ready).toEqual({ ready: program.pid, variable: 'set' })
  const answer = next('message')
  program.send({ kind: 'hello' })
  expect(await answer).toEqual({ echo: { kind: 'hello' } })
})

test('supervisor: a child that dies comes back, at first at once, then slower', async () => {
  const { clock, program, next } = supervise('crash')
  const delays: number[] = []
  program.start()
  for (let round = 0; round < 5; round++) {
    const exit = await next('exit')
    expect(exit.code).toBe(3)
    delays.push(exit.restartMs)
    clock.advance(exit.restartMs)
  }
  expect(delays).toEqual([200, 200, 200, 900, 1_800])
})

test('supervisor: when the system has no room for a process it tries again, and the parent lives', async () => {
  let refusals = 2
  const { clock, program, next } = supervise('serve', ((...args: Parameters<typeof fork>) => {
    if (refusals-- > 0) throw Object.assign(new Error('spawn ENOMEM'), { code: 'ENOMEM' })
    return fork(...args)
  }) as typeof fork)
  const [line, exit] = [next('line'), next('exit')]
  program.start()
  expect(await line).toBe('spawn ENOMEM')
  expect(await exit).toMatchObject({ restartMs: 200 })
  clock.advance(200)
  const ready = next('message')
  clock.advance(200)
  expect(await ready).toMatchObject({ ready: program.pid })
})

test('supervisor: a killed child comes back as a new process', async () => {
  const { clock, program, next } = supervise('serve')
  const first = next('message')
  program.start()
  const { ready } = await first
  const exit = next('exit')
  process.kill(ready, 'SIGKILL')
  expect(await exit).toMatchObject({ signal: 'SIGKILL', restartMs: 200 })
  const second = next('message')
  clock.advance(200)
  expect((await second).ready).not.toBe(ready)
})

test('supervisor: a child that reports a wrong configuration is not started again', async () => {
  const { clock, program, next } = supervise('refuse')
  const exit = next('exit')
  program.start()
  expect(await exit).toEqual({ code: 2, signal: null })
  expect(clock.pending).toBe(0)
})

test('supervisor: stop drains, resolves when the child is gone and leaves no timer', async () => {
  const { clock, program, next } = supervise('serve')
  const ready = next('message')
  program.start()
  await ready
  const exit = next('exit')
  await program.stop(10_000)
  expect(await exit).toEqual({ code: 0, signal: null })
  expect(clock.pending).toBe(0)
})

test('supervisor: a child that ignores SIGTERM is killed after its grace', async () => {
  const { clock, program, next } = supervise('stubborn')
  const ready = next('message')
  program.start()
  await ready
  const heard = next('message')
  const exit = next('exit')
  const stopped = program.stop(10_000)
  expect(await heard).toEqual({ heard: 'SIGTERM' })
  clock.advance(9_999)
  expect(program.pid).toBeDefined()
  clock.advance(3_001)
  expect(await exit).toEqual({ code: null, signal: 'SIGKILL' })
  await stopped
})

test('orphan guard: a child whose parent vanished drains by itself', async () => {
  const child = fork(file, ['busy'], {
    execArgv: ['--import', guard],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  await once(child, 'message')
  const exit = once(child, 'exit')
  child.disconnect()
  expect(await exit).toEqual([null, 'SIGTERM'])
})
