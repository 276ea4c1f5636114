import { availableParallelism } from 'node:os'
import { isFailure } from '@porttunneler/shared/base/errors'
import { describe, expect, test } from 'vitest'
import { readSettings, relaysFor } from './config.ts'

type Given = { args?: string[]; env?: Record<string, string>; yaml?: string; isOpen?: boolean }

function settings({ args = [], env = {}, yaml, isOpen = false }: Given) {
  return readSettings({
    args,
    env,
    readText: (path) => (path.endsWith('.yaml') ? yaml : undefined),
    isOpen: () => isOpen,
  })
}

function refusal(given: Given): string {
  try {
    settings(given)
  } catch (error) {
    if (isFailure(error, 'standalone.config')) return error.detail
    throw error
  }
  throw new Error('the settings were accepted')
}

describe('services to sign in with', () => {
  const given = (provider: string, more: Partial<Parameters<typeof readSettings>[0]> = {}) =>
    readSettings({
      args: ['--data', '/data'],
      env: {},
      readText: (path) =>
        path.endsWith('standalone.yaml')
          ? `signIn: { providers: [${provider}] }`
          : path === '/data/google.secret'
            ? ' hidden\n'
            : undefined,
      isOpen: () => false,
      ...more,
    }).config.signIn.providers
  const google = '{ id: google, clientId: x, clientSecretFile: google.secret }'
  const work = '{ id: work, clientId: x, issuer: "https://login.example.com" }'

  test('google and github are known by name, others by their issuer', () => {
    const [one, other, third] = given(`${google}, { id: github, clientId: y }, ${work}`)
    expect(one).toMatchObject({ kind: 'oidc', name: 'Google', issuer: 'https://accounts.google.com' })
    expect(other).toMatchObject({ kind: 'github', name: 'GitHub', issuer: 'https://github.com' })
    expect(third).toMatchObject({ kind: 'oidc', name: 'work', issuer: 'https://login.example.com' })
    const [own] = given('{ id: github, clientId: y, issuer: "https://git.example.com/" }')
    expect(own).toMatchObject({ kind: 'github', issuer: 'https://git.example.com' })
    expect(one?.secret?.reveal()).toBe('hidden')
    expect(JSON.stringify(one)).not.toContain('hidden')
  })

  test.each([
    ['without an issuer', '{ id: work, clientId: x }', 'issuer: is needed'],
    ['an issuer in the clear', '{ id: work, clientId: x, issuer: "http://login.example.com" }', 'https'],
    ['one id twice', `${work}, ${work}`, 'the same id'],
    ['an id with a slash', '{ id: a/b, clientId: x, issuer: "https://a.example.com" }', 'small letters'],
    ['two secrets', '{ id: google, clientId: x, clientSecret: a, clientSecretFile: b }', 'not beside'],
    [
      'a file that is missing',
      '{ id: google, clientId: x, clientSecretFile: none }',
      'there is no file /data/none',
    ],
  ])('%s is refused', (_, provider, detail) => {
    expect(() => given(provider)).toThrow(detail)
  })

  test('a secret that others can read is refused, in the settings and in a file of its own', () => {
    const isOpen = (path: string) => path.endsWith('.yaml')
    expect(() => given('{ id: google, clientId: x, clientSecret: hidden }', { isOpen })).toThrow('PT-5110')
    expect(() => given(google, { isOpen: (path) => path.endsWith('.secret') })).toThrow('PT-5110')
    expect(given(google, { isOpen })).toHaveLength(1)
  })
})

describe('settings', () => {
  test('without settings, everything listens only on loopback', () => {
    const { config, data } = settings({})
    expect(data.endsWith('/data')).toBe(true)
    expect(config).toMatchObject({
      bind: '127.0.0.1',
      host: 'localhost',
      domain: 'localhost',
      ports: { console: 8400, http: 8480, tls: 8443, tcp: { from: 20_000, to: 20_999 }, metrics: 8490 },
      demo: true,
    })
  })

  test('the environment wins over the file, the file over the default, and neighbours are kept', () => {
    const { config } = settings({
      yaml: 'domain: t.example.com\nports:\n  console: 9000\n  http: 9001\n',
      env: { PORTTUNNELER_CONSOLE_PORT: '0', PORTTUNNELER_DEMO: 'false' },
    })
    expect(config.ports).toMatchObject({ console: 0, http: 9001, tls: 8443 })
    expect(config.domain).toBe('t.example.com')
    expect(config.demo).toBe(false)
  })

  test.each([
    ['host: t.example.com', 't.example.com'],
    ['host: 203.0.113.7', 'localhost'],
    ['host: a.example.com\ndomain: t.example.com', 't.example.com'],
  ])('http endpoints lie below the host if it is a name: %j', (yaml, domain) => {
    expect(settings({ yaml: `bind: 0.0.0.0\n${yaml}` }).config.domain).toBe(domain)
  })

  test('trusted proxies are a list in the file, or separated by commas in the environment', () => {
    const yaml = 'trustedProxies: [127.0.0.1, "fd00::/8", cloudflare]\nproxyProtocol: [tcp]\n'
    expect(settings({ yaml }).config).toMatchObject({
      trustedProxies: ['127.0.0.1', 'fd00::/8', 'cloudflare'],
      proxyProtocol: ['tcp'],
    })
    const env = { PORTTUNNELER_TRUSTED_PROXIES: '10.0.0.0/8, ::1' }
    expect(settings({ env }).config).toMatchObject({
      trustedProxies: ['10.0.0.0/8', '::1'],
      proxyProtocol: [],
    })
    expect(refusal({ env: { PORTTUNNELER_TRUSTED_PROXIES: 'localhost' } })).toContain('trustedProxies')
  })

  test('the environment may complete a setting of the file', () => {
    const { config } = settings({ yaml: 'bind: 0.0.0.0', env: { PORTTUNNELER_HOST: 't.example.com' } })
    expect(config.host).toBe('t.example.com')
  })

  test('--data wins over PORTTUNNELER_DATA, and an empty variable counts as unset', () => {
    expect(settings({ args: ['--data', '/a'], env: { PORTTUNNELER_DATA: '/b' } }).data).toBe('/a')
    expect(settings({ args: ['--data=/a'] }).data).toBe('/a')
    expect(settings({ env: { PORTTUNNELER_DATA: '/b' } }).data).toBe('/b')
    expect(settings({ env: { PORTTUNNELER_BIND: '' } }).config.bind).toBe('127.0.0.1')
  })

  test('relays: auto is one for each core but the first, at least one and at most sixteen', () => {
    expect([1, 2, 3, 8, 64].map(relaysFor)).toEqual([1, 1, 2, 7, 16])
    const here = relaysFor(availableParallelism())
    expect(settings({ yaml: 'relays: auto' }).config.relays).toBe(here)
    expect(settings({ env: { PORTTUNNELER_RELAYS: 'auto' } }).config.relays).toBe(here)
    expect(settings({ env: { PORTTUNNELER_RELAYS: '3' } }).config.relays).toBe(3)
    for (const yaml of ['relays: many', 'relays: 17', 'relays: 0'])
      expect(refusal({ yaml })).toContain('relays')
  })

  test('a mail server needs a sender; its password shows in no message', () => {
    const yaml = 'mail:\n  from: Tunnels <no-reply@example.com>\n'
    const env = { PORTTUNNELER_MAIL_SMTP: 'smtps://mailer:hush@mail.example.com' }
    const { mail } = settings({ yaml, env }).config
    expect([mail?.from, mail?.smtp.reveal()]).toEqual([
      'Tunnels <no-reply@example.com>',
      'smtps://mailer:hush@mail.example.com',
    ])
    expect(`${JSON.stringify(mail)}`).not.toContain('hush')
    expect(refusal({ env })).toContain('mail: needs both "smtp" and "from"')
    const wrong = { ...env, PORTTUNNELER_MAIL_SMTP: 'http://mailer:hush@mail.example.com' }
    expect(refusal({ yaml, env: wrong })).not.toContain('hush')
    expect(settings({}).config.mail).toBeUndefined()
  })

  test('a domain and an address of mail make a server with certificates, open to the world at the usual ports', () => {
    const yaml = 'domain: tunnels.example.com\nacme: { email: ada@example.com }'
    const { config } = settings({ yaml })
    expect(config).toMatchObject({
      bind: '0.0.0.0',
      host: 'tunnels.example.com',
      ports: { http: 80, tls: 443 },
    })
    expect(config.acme?.issuers).toMatchObject([{ name: 'letsencrypt' }])
    expect(settings({ yaml: `${yaml}\nports: { tls: 8443 }` }).config.ports).toMatchObject({
      http: 80,
      tls: 8443,
    })
  })

  test('a public console address is kept as an origin', () => {
    const { config } = settings({ env: { PORTTUNNELER_CONSOLE_URL: 'https://t.example.com/x' } })
    expect(config.public.console).toBe('https://t.example.com')
  })

  test.each<[string, Given, RegExp]>([
    ['an unknown setting', { yaml: 'prots: {}' }, /standalone\.yaml: .*prots/],
    ['a port out of range', { yaml: 'ports: { http: 70000 }' }, /standalone\.yaml: ports\.http/],
    ['a port without a number', { yaml: 'ports: { http: }' }, /ports\.http/],
    ['a word for a port', { env: { PORTTUNNELER_TLS_PORT: 'https' } }, /settings: ports\.tls/],
    ['two equal ports', { yaml: 'ports: { http: 8400 }' }, /http and console are both 8400/],
    ['a port inside the range', { yaml: 'ports: { tls: 20005 }' }, /tls \(20005\) lies within the tcp range/],
    ['a range upside down', { yaml: 'ports: { tcp: 3000-2000 }' }, /ports\.tcp/],
    ['a range of privileged ports', { yaml: 'ports: { tcp: 1-2000 }' }, /ports\.tcp/],
    ['a host with a scheme', { yaml: 'host: http://a.example.com' }, /host/],
    ['an address as the domain', { yaml: 'domain: 192.0.2.1' }, /domain: .*no names can stand under one/],
    ['a domain that is read as an address', { yaml: 'domain: shop.1' }, /domain: .*no names/],
    ['a domain in letters of its own', { yaml: 'domain: münchen.de' }, /domain: .*a host name/],
    ['a part that is too long', { yaml: `domain: ${'a'.repeat(64)}.de` }, /domain: .*a host name/],
    ['the world without a host', { yaml: 'bind: 0.0.0.0' }, /host: is needed when "bind" is not loopback/],
    ['a bind that is no address', { yaml: 'bind: everywhere' }, /bind/],
    ['certificates without a domain', { yaml: 'acme: { email: ada@example.com }' }, /acme/],
    ['certificates for localhost', { yaml: 'domain: a.localhost\nacme: { email: ada@example.com }' }, /acme/],
    ['certificates for nobody', { yaml: 'domain: a.example.com\nacme: { email: ada }' }, /acme\.email/],
    ['broken YAML', { yaml: 'ports: {' }, /standalone\.yaml/],
    ['a list for a file', { yaml: '- a' }, /not a list of "setting: value" lines/],
    ['an unknown option', { args: ['--prot', '1'] }, /command line/],
    ['a stray word', { args: ['start'] }, /command line/],
  ])('%s is refused by name', (_name, given, expected) => {
    expect(refusal(given)).toMatch(expected)
  })
})

test('a file with a password that others can read is refused, one without is not', () => {
  const yaml = (smtp: string) => `mail: { smtp: '${smtp}', from: 'a@example.com' }`
  const secret = yaml('smtps://ada:correct-horse@mail.example.com')
  expect(() => settings({ yaml: secret, isOpen: true })).toThrow(/^PT-5110 (?!.*correct-horse)/)
  expect(settings({ yaml: secret }).config.mail?.smtp.reveal()).toContain('correct-horse')
  settings({ yaml: yaml('smtp://localhost:25'), isOpen: true })
  const env = { PORTTUNNELER_MAIL_SMTP: 'smtps://ada:correct-horse@mail.example.com' }
  settings({ yaml: 'mail: { from: a@example.com }', env, isOpen: true })
})
