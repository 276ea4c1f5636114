import { describe, expect, test } from 'vitest'
import { readEnvironment } from './environment.ts'

const variables = ['FIREBASE_AUTH_EMULATOR_HOST', 'FIRESTORE_EMULATOR_HOST', 'PUBSUB_EMULATOR_HOST']

describe('environment', () => {
  test.each(variables)('%s stops the start of every program for a real project', (name) => {
    const env = { GOOGLE_CLOUD_PROJECT: 'tunnels-prod', [name]: '127.0.0.1:9099' }
    expect(() => readEnvironment(env)).toThrow(
      expect.objectContaining({ code: 'PT-5202', detail: `${name} is set for project tunnels-prod.` }),
    )
  })

  test('a real project without emulators starts, and an empty variable counts as unset', () => {
    expect(readEnvironment({ GOOGLE_CLOUD_PROJECT: 'tunnels-prod', PUBSUB_EMULATOR_HOST: '' })).toEqual({
      projectId: 'tunnels-prod',
      emulators: {},
    })
  })

  test('a demo project may use emulators', () => {
    const env = {
      GCLOUD_PROJECT: 'demo-tunnels',
      FIREBASE_AUTH_EMULATOR_HOST: 'localhost:9099',
      FIRESTORE_EMULATOR_HOST: '[::1]:8080',
    }
    expect(readEnvironment(env)).toEqual({
      projectId: 'demo-tunnels',
      emulators: { auth: 'localhost:9099', firestore: '[::1]:8080' },
    })
  })

  test.each([{}, { GOOGLE_CLOUD_PROJECT: 'Demo-Tunnels' }, { GOOGLE_CLOUD_PROJECT: 'x' }])(
    'without a project id of the right form nothing starts: %o',
    (env) => {
      expect(() => readEnvironment(env)).toThrow(expect.objectContaining({ key: 'cloud.environment' }))
    },
  )

  test('an emulator address without a port is refused instead of misunderstood', () => {
    const env = { GOOGLE_CLOUD_PROJECT: 'demo-tunnels', FIRESTORE_EMULATOR_HOST: 'localhost:' }
    expect(() => readEnvironment(env)).toThrow(expect.objectContaining({ key: 'cloud.environment' }))
  })
})
