import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pageHeaders } from '@porttunneler/shared/api/page-headers'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { defaultPlaces, firebaseText } from './hosting.ts'

const root = join(import.meta.dirname, '..')
const text = readFileSync(join(root, 'firebase.json'), 'utf8')
const header = z.strictObject({ key: z.string(), value: z.string() })
const configSchema = z.looseObject({
  firestore: z.record(z.string(), z.string()),
  hosting: z.looseObject({
    headers: z.array(z.strictObject({ source: z.string(), headers: z.array(header) })),
  }),
})

const config = configSchema.parse(JSON.parse(text))
const pages = new Map(config.hosting.headers[0]?.headers.map(({ key, value }) => [key, value]))

/** Directive -> what it allows. */
function directivesOf(policy = ''): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    policy.split('; ').map((directive) => {
      const [name = '', ...allowed] = directive.split(' ')
      return [name, allowed]
    }),
  )
}

test('firebase.json is what `npm run docs` writes, and the files that it names are there', () => {
  expect(text).toBe(firebaseText(defaultPlaces))
  for (const path of Object.values(config.firestore)) expect(existsSync(join(root, path))).toBe(true)
})

test('the policy of pages is that of a standalone server, except for sign-in at Firebase and the relays', () => {
  const own = pageHeaders({ connect: [], isHttps: true })
  const policy = 'content-security-policy'
  expect(directivesOf(pages.get(policy))).toEqual({
    ...directivesOf(own[policy]),
    'connect-src': [
      "'self'",
      'https://identitytoolkit.googleapis.com',
      'https://securetoken.googleapis.com',
      'https:',
    ],
    'script-src': ["'self'", 'https://apis.google.com'],
    'frame-src': ["'self'"],
  })
  const opener = 'cross-origin-opener-policy'
  for (const [name, value] of Object.entries(own))
    if (name !== policy && name !== opener) expect({ name, value: pages.get(name) }).toEqual({ name, value })
  expect(pages.get(opener)).toBe('same-origin-allow-popups')
})

test('an operator’s own relays replace the wildcard', () => {
  const own = firebaseText({ region: 'us-east1', relays: ['https://*.relay.example.com'] })
  expect(own).toContain("connect-src 'self' https://identitytoolkit.googleapis.com")
  expect(own).toContain('https://securetoken.googleapis.com https://*.relay.example.com;')
  expect(own).toContain('"region": "us-east1"')
})
