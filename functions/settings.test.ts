import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isFailure } from '@porttunneler/shared/base/errors'
import { expect, test } from 'vitest'
import { readSettings } from './settings.ts'

const real = {
  GOOGLE_CLOUD_PROJECT: 'tunnels-prod',
  PORTTUNNELER_URL: 'https://tunnels.example.com/',
  PORTTUNNELER_KMS_KEY: 'projects/tunnels-prod/locations/eu/keyRings/ring/cryptoKeys/signing',
  FIREBASE_API_KEY: 'public',
}
const group = {
  cell: 'main',
  path: 'regions/us-east1/instanceGroupManagers/relays',
  serviceAccount: 'relay@tunnels-prod.iam.gserviceaccount.com',
}

test('settings: unset ones have their defaults', () => {
  const settings = readSettings(real)
  expect(settings).toMatchObject({
    relayGroups: [],
    proxies: [],
    trustResolvers: false,
    environment: { projectId: 'tunnels-prod', emulators: {} },
  })
  expect(settings.control).toMatchObject({
    issuer: 'https://tunnels.example.com',
    registration: 'open',
    defaultPlan: 'free',
    firebase: { authDomain: 'tunnels.example.com', providers: ['google.com', 'github.com'], issuers: [] },
  })
  expect(settings.stripeSecrets).toEqual([])
  expect(settings.stripeKey).toBeUndefined()
})

test('settings: set ones count, and a secret does not show', () => {
  const settings = readSettings({
    ...real,
    PORTTUNNELER_RELAY_GROUPS: JSON.stringify([group]),
    PORTTUNNELER_REGISTRATION: 'false',
    STRIPE_KEY: 'sk_test_1',
    STRIPE_WEBHOOK_SECRET: 'whsec_1',
    STRIPE_EVENTS_SECRET: 'whsec_2',
    PORTTUNNELER_MAIL_SMTP: 'smtps://user:mail-secret@mail.example.com',
    PORTTUNNELER_MAIL_FROM: 'Tunnels <no-reply@example.com>',
    FIREBASE_PROVIDERS: '',
    FIREBASE_ISSUERS: '[{"id":"oidc.work","name":"Example, Ltd"}]',
  })
  expect(settings.relayGroups).toEqual([group])
  expect(settings.control.registration).toBe('closed')
  expect(settings.control.firebase?.providers).toEqual([])
  expect(settings.control.firebase?.issuers).toEqual([{ id: 'oidc.work', name: 'Example, Ltd' }])
  expect(settings.stripeSecrets.map((secret) => secret.reveal())).toEqual(['whsec_1', 'whsec_2'])
  expect(settings.stripeKey?.reveal()).toBe('sk_test_1')
  expect(settings.mail?.from).toBe('Tunnels <no-reply@example.com>')
  expect(settings.mail?.smtp.reveal()).toContain('mail-secret')
  expect(JSON.stringify(settings)).not.toContain('mail-secret')
  expect(settings.acme).toBeUndefined()
  const acme = readSettings({ ...real, PORTTUNNELER_ACME_EMAIL: 'ada@example.com' }).acme
  expect(acme).toMatchObject({ email: 'ada@example.com', issuers: [{ name: 'letsencrypt' }] })
  expect(JSON.stringify(settings)).not.toContain('whsec_1')
  expect(JSON.stringify(settings)).not.toContain('sk_test_1')
})

test.each([
  [{ PORTTUNNELER_URL: undefined }, 'PORTTUNNELER_URL'],
  [{ FIREBASE_ISSUERS: '[{"id":"google.com","name":"x"}]' }, 'FIREBASE_ISSUERS'],
  [{ FIREBASE_ISSUERS: 'work' }, 'FIREBASE_ISSUERS'],
  [{ PORTTUNNELER_TERMS: 'https://example.com/terms' }, 'PORTTUNNELER_TERMS'],
  [{ PORTTUNNELER_TERMS: '[{"kind":"terms","version":"1"}]' }, 'PORTTUNNELER_TERMS'],
  [{ PORTTUNNELER_URL: 'http://tunnels.example.com' }, 'PORTTUNNELER_URL'],
  [{ PORTTUNNELER_KMS_KEY: 'signing' }, 'PORTTUNNELER_KMS_KEY'],
  [{ PORTTUNNELER_PLAN: 'Gold plan' }, 'PORTTUNNELER_PLAN'],
  [{ PORTTUNNELER_MAIL_SMTP: 'smtp://mail.example.com' }, 'PORTTUNNELER_MAIL_FROM'],
  [{ PORTTUNNELER_MAIL_SMTP: 'http://mail.example.com' }, 'PORTTUNNELER_MAIL_SMTP'],
  [{ PORTTUNNELER_RELAY_GROUPS: '[{' }, 'PORTTUNNELER_RELAY_GROUPS'],
  [{ PORTTUNNELER_RELAY_GROUPS: '[{"cell":"a"}]' }, 'PORTTUNNELER_RELAY_GROUPS'],
  [{ STRIPE_WEBHOOK_SECRET: 'sk_live' }, 'STRIPE_WEBHOOK_SECRET'],
  [{ FIREBASE_PROVIDERS: 'acme.com' }, 'FIREBASE_PROVIDERS'],
  [{ PORTTUNNELER_ACME_EMAIL: 'ada' }, 'PORTTUNNELER_ACME_EMAIL'],
  [
    { PORTTUNNELER_ACME_EMAIL: 'a@example.com', PORTTUNNELER_ACME_ISSUERS: '[]' },
    'PORTTUNNELER_ACME_ISSUERS',
  ],
  [{ PORTTUNNELER_TRUSTED_PROXIES: 'all' }, 'PORTTUNNELER_TRUSTED_PROXIES'],
  [{ PORTTUNNELER_TRUST_RESOLVERS: 'maybe' }, 'PORTTUNNELER_TRUST_RESOLVERS'],
  [{ PORTTUNNELER_HEARTBEAT: 'http://ping.example.com/' }, 'PORTTUNNELER_HEARTBEAT'],
])('settings: %o is refused with the variable’s name but not its value', (changes, name) => {
  const refusal = refusalOf({ ...real, ...changes })
  expect(isFailure(refusal, 'cloud.environment') && refusal.detail).toContain(name)
  expect(String(refusal)).not.toContain('sk_live')
})

test.each([
  ['PORTTUNNELER_EMULATED_GOOGLE', 'emulatedGoogle'],
  ['PORTTUNNELER_EMULATED_STRIPE', 'emulatedStripe'],
] as const)('settings: the stand-in %s is only for emulator projects', (name, setting) => {
  const standIn = { [name]: 'http://127.0.0.1:1' }
  expect(isFailure(refusalOf({ ...real, ...standIn }), 'cloud.emulator')).toBe(true)
  const local = { GOOGLE_CLOUD_PROJECT: 'demo-a', PORTTUNNELER_URL: 'http://localhost:8500' }
  expect(readSettings({ ...real, ...standIn, ...local })[setting]).toBe('http://127.0.0.1:1')
})

test('settings: the variables are those of the table in docs/cloud.md', () => {
  const named = (text: string) => new Set(text.match(/\b(?:PORTTUNNELER|FIREBASE|STRIPE)_[A-Z_]+\b/g))
  const code = readFileSync(join(import.meta.dirname, 'settings.ts'), 'utf8')
  const document = readFileSync(join(import.meta.dirname, '../docs/cloud.md'), 'utf8')
  const rows = document
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .join('\n')
  expect(named(rows)).toEqual(named(code))
})

function refusalOf(env: Readonly<Record<string, string | undefined>>): unknown {
  try {
    return readSettings(env)
  } catch (error) {
    return error
  }
}
