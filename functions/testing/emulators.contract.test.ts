/** The emulators that every cloud test needs: started once, ready, separated by project. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { EmulatorsMissing, startEmulators } from './emulators.ts'
import { randomProject, withEmulators } from './with-emulators.ts'

withEmulators((hosts) => {
  test('both emulators take calls as soon as a test runs', async () => {
    const answers = await Promise.all([fetch(`http://${hosts.firestore}/`), fetch(`http://${hosts.pubsub}/`)])
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
  })

  test('running emulators that the environment names are used as they are, and left running', async () => {
    const env = { FIRESTORE_EMULATOR_HOST: hosts.firestore, PUBSUB_EMULATOR_HOST: hosts.pubsub }
    const given = await startEmulators({ env })
    await given.stop()
    expect([given.firestore, given.pubsub]).toEqual([hosts.firestore, hosts.pubsub])
    expect((await fetch(`http://${hosts.firestore}/`)).status).toBe(200)
  })

  test('one that is not ready in time is an error that says which', async () => {
    await expect(startEmulators({ env: process.env, deadlineMs: 1 })).rejects.toThrow(
      /emulator was not ready/,
    )
  })

  test('emulators end with a program that is killed, and one that ends by itself is named', async () => {
    const script = `
      const { startEmulators } = await import(${JSON.stringify(new URL('emulators.ts', import.meta.url))})
      const emulators = await startEmulators({ env: process.env, onEnded: (what) => console.log(what) })
      console.log(emulators.firestore, emulators.pubsub)
      await new Promise((resolve) => process.stdin.once('end', resolve).resume())`
    const { FIRESTORE_EMULATOR_HOST: _f, PUBSUB_EMULATOR_HOST: _p, ...env } = process.env
    const args = ['--input-type=module', '-e', script]
    const program = spawn(process.execPath, args, { env, stdio: ['pipe', 'pipe', 'inherit'] })
    const lines = createInterface({ input: program.stdout })
    const [started] = await once(lines, 'line')
    const [firestore = '', pubsub = ''] = `${started}`.split(' ')
    // Open as long as the emulator lives.
    const ends = await Promise.all([firestore, pubsub].map(async (host) => closingOf(host)))
    const said = once(lines, 'line')
    await fetch(`http://${firestore}/shutdown`, { method: 'POST' })
    expect(`${await said}`).toMatch(
      new RegExp(`^The Firestore emulator at port ${firestore.split(':')[1]} has ended`),
    )
    program.kill('SIGKILL')
    await Promise.all(ends.map(({ closed }) => closed))
  })

  test('a running one that is not where the environment says is reported with the variable', async () => {
    const env = { FIRESTORE_EMULATOR_HOST: hosts.firestore, PUBSUB_EMULATOR_HOST: '127.0.0.1:1' }
    await expect(startEmulators({ env })).rejects.toThrow(/127.0.0.1:1, which PUBSUB_EMULATOR_HOST names/)
  })

  test('an aborted start ends at once', async () => {
    const signal = AbortSignal.abort()
    const { FIRESTORE_EMULATOR_HOST: _f, PUBSUB_EMULATOR_HOST: _p, ...env } = process.env
    await expect(startEmulators({ env, signal })).rejects.toThrow(/is not wanted any more/)
  })

  test('projects have names of their own', () => {
    expect(randomProject()).not.toBe(randomProject())
  })
})

test('a machine without the jars is told what to install', async () => {
  const refusal = startEmulators({ env: { PATH: '/nonexistent' } })
  await expect(refusal).rejects.toThrow(EmulatorsMissing)
  await expect(refusal).rejects.toThrow(/gcloud components install/)
})

/** A connection that stays idle until the other side is gone. */
async function closingOf(host: string): Promise<{ readonly closed: Promise<unknown> }> {
  const [name = '', port = ''] = host.split(':')
  const socket = connect({ host: name, port: Number(port) })
  socket.on('error', () => {})
  await once(socket, 'connect')
  return { closed: once(socket, 'close') }
}
