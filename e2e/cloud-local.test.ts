/** `npm run cloud:local` on a machine that is not ready for it: a code, the cure, and nothing is left running. */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { withEmulators } from '../functions/testing/with-emulators.ts'
import { eventually } from './harness/events.ts'
import { childrenOf, runProgram, startProgram, textOf } from './harness/programs.ts'
import { listenTcp } from './harness/sockets.ts'
import { freeSettings, temporaryFolder } from './harness/standalone.ts'

const folder = temporaryFolder('cloud-local')
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const start = async (env: Readonly<Record<string, string | undefined>>, ...args: string[]) =>
  runProgram('node', ['e2e/cloud-local/main.ts', '--sign-in', 'stand-in', '--data', folder, ...args], {
    env: { ...(await freeSettings()), ...env },
    deadlineMs: 60_000,
  })

test('cloud:local: without the emulators it says how to get them', async () => {
  const none = { FIRESTORE_EMULATOR_HOST: undefined, PUBSUB_EMULATOR_HOST: undefined }
  const { exit, stderr } = await start({ ...none, PT_EMULATOR_JARS: folder })
  expect(exit.code).toBe(2)
  expect(stderr).toContain('PT-5240')
  expect(stderr).toContain('gcloud components install')
})

test('cloud:local: a wrong option is named', async () => {
  const { exit, stderr } = await start({}, '--relays', 'many')
  expect({ code: exit.code, said: stderr }).toMatchObject({
    code: 2,
    said: expect.stringContaining('PT-5101'),
  })
})

withEmulators((hosts) => {
  test('cloud:local: Ctrl-C while it starts ends all that was started', async () => {
    const args = ['e2e/cloud-local/main.ts', '--sign-in', 'stand-in', '--data', join(folder, 'interrupted')]
    const program = await startProgram('node', args, {
      env: {
        ...(await freeSettings()),
        FIRESTORE_EMULATOR_HOST: hosts.firestore,
        PUBSUB_EMULATOR_HOST: hosts.pubsub,
      },
    })
    const functions = await eventually(
      'functions are being started',
      () =>
        childrenOf(program.pid)
          .filter(({ command }) => command.includes('--target'))
          .at(0) && childrenOf(program.pid),
      120_000,
    )
    program.send('SIGINT')
    expect(await program.exited).toEqual({ code: 130, signal: null })
    expect(textOf(program, 'stdout')).toContain('Stopped.')
    expect(textOf(program, 'stdout')).not.toContain('The cloud runs on this machine')
    expect(functions.filter(({ pid }) => existsSync(`/proc/${pid}`))).toEqual([])
  })

  test('cloud:local: a port that is taken is named', async () => {
    const other = await listenTcp((socket) => socket.destroy())
    const { exit, stderr } = await start({
      FIRESTORE_EMULATOR_HOST: hosts.firestore,
      PUBSUB_EMULATOR_HOST: hosts.pubsub,
      PORTTUNNELER_CONSOLE_PORT: `${other.port}`,
    })
    expect(exit.code).toBe(2)
    expect(stderr).toContain('PT-5102')
    expect(stderr).toContain(`port ${other.port}`)
    await other.close()
  })
})
