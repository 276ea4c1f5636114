/** The emulators that every cloud test leans on: started once, ready, apart by project. */
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

  test('projects have names of their own', () => {
    expect(randomProject()).not.toBe(randomProject())
  })
})

test('a machine without the jars is told what to install', async () => {
  const refusal = startEmulators({ env: { PATH: '/nonexistent' } })
  await expect(refusal).rejects.toThrow(EmulatorsMissing)
  await expect(refusal).rejects.toThrow(/gcloud components install/)
})
