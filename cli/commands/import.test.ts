import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { parseConfig, readConfig } from '../config.ts'
import type { Context } from '../context.ts'
import { importConfig } from './import.ts'

const folder = mkdtempSync(join(tmpdir(), 'ptun-import-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let files = 0
const variables = { WEB_PASSWORD: 'open sesame', A: '1', HOME: '1' }

/** @returns what was written and what was said */
async function imported(name: string, text: string, output?: string) {
  const path = join(folder, `${++files}-${name}`)
  writeFileSync(path, text)
  let out = ''
  const write = (more: string) => {
    out += more
  }
  const stdout = { write }
  const stage = { stdout, stderr: stdout, clock: new FakeClock(), random: () => 0.5, isVerbose: false }
  const context: Context = { ...stage, env: {}, isJson: true }
  const written = output ?? join(folder, `${files}.yaml`)
  const failure = await importConfig(context, path, { output: written }).then(
    () => undefined,
    (error: unknown) => error,
  )
  const event = out.startsWith('{') ? JSON.parse(out.split('\n')[0] ?? '') : undefined
  const notes = Object.fromEntries(
    (event?.notes ?? []).map((note: { place: string; text: string }) => [note.place, note.text]),
  )
  const yaml = failure === undefined && written !== '-' ? readFileSync(written, 'utf8') : ''
  return {
    failure,
    notes,
    yaml,
    written,
    out,
    tunnels: yaml ? parseConfig(yaml, written, variables).tunnels : [],
  }
}

const ngrok = `
version: 3
agent:
  authtoken: secret-of-ngrok
  log_level: info
  proxy_url: socks5://127.0.0.1:1080
tunnels:
  My_Site:
    proto: http
    addr: 3000
    domain: shop.example.com
    basic_auth: ["ann:pa$$word1"]
    schemes: [https]
    host_header: rewrite
    ip_restriction: { allow_cidrs: [192.0.2.0/24] }
    request_header: { add: ["X-A: one", "X-A: two", "X-B: b:c"], remove: [Cookie] }
    oauth: { provider: google }
    compression: false
  hooks: { addr: "https://localhost:8443", subdomain: hooks, inspect: false, surprise: 1 }
  ssh: { proto: tcp, addr: "10.0.0.7:22", remote_addr: "1.tcp.ngrok.io:20301", proxy_proto: 2 }
  folder: { proto: http, addr: "file:///srv" }
endpoints:
  - name: api
    url: https://api-of-ann.ngrok.app
    upstream: { url: "http://localhost:8080" }
  - name: my-site
    url: tcp://
    upstream: { url: 5432 }
`

test('ngrok: tunnels and endpoints come along, and whatever does not has its reason', async () => {
  const { failure, tunnels, notes, yaml, written } = await imported('ngrok.yml', ngrok)
  expect(failure).toBeUndefined()
  expect(tunnels).toMatchObject([
    {
      name: 'my-site',
      kind: 'http',
      upstream: { port: 3000 },
      domain: 'shop.example.com',
      policy: { httpsOnly: true, allow: ['192.0.2.0/24'] },
    },
    { name: 'hooks', upstream: { host: 'localhost', port: 8443, isTls: true } },
    { name: 'ssh', kind: 'tcp', upstream: { host: '10.0.0.7', port: 22 }, proxyProtocol: 'v2' },
    { name: 'api-of-ann', upstream: { port: 8080 } },
    { name: 'my-site-2', kind: 'tcp', upstream: { port: 5432 } },
  ])
  expect(yaml).toContain('socks5://127.0.0.1:1080')
  expect(yaml).toContain('ann:pa$$$$word1')
  expect(yaml).not.toContain('secret-of-ngrok')
  expect((await readConfig(written, {})).proxy).toBe('socks5://127.0.0.1:1080')
  const add = { 'X-A': ['one', 'two'], 'X-B': ['b:c'] }
  expect(tunnels[0]).toMatchObject({ requests: { requestHeaders: { remove: ['Cookie'], add } } })
  expect(Object.keys(notes).sort()).toEqual([
    'authtoken',
    'endpoints.0',
    'tunnels.My_Site',
    'tunnels.My_Site.oauth',
    'tunnels.folder.addr',
    'tunnels.hooks.surprise',
    'tunnels.ssh.remote_addr',
  ])
  expect(statSync(written).mode & 0o777).toBe(0o600)
})

const frp = `
serverAddr = "frp.example.com"
serverPort = 7000
auth.token = "secret-of-frp"
transport.proxyURL = "http://127.0.0.1:3128"

[[proxies]]
name = "ssh"
type = "tcp"
localIP = "127.0.0.1"
localPort = 22
remotePort = 6001
transport.bandwidthLimit = "1MB"

[[proxies]]
name = "web"
type = "http"
localPort = 8080
subdomain = "shop"
customDomains = ["a.example.com", "b.example.com"]
httpUser = "ann"
httpPassword = "{{ .Envs.WEB_PASSWORD }}"
hostHeaderRewrite = "inside.example"
requestHeaders.set.x-from = "frp"
locations = ["/a"]
[proxies.healthCheck]
type = "http"
path = "/status"
intervalSeconds = 20

[[proxies]]
name = "secure"
type = "https"
localIP = "::1"
localPort = 8443
transport.proxyProtocolVersion = "v2"
loadBalancer.group = "both"

[[proxies]]
name = "docker"
type = "tcp"
remotePort = 0
[proxies.plugin]
type = "unix_domain_socket"
unixPath = "/var/run/docker.sock"

[[proxies]]
name = "ends"
type = "https"
customDomains = ["c.example.com"]
[proxies.plugin]
type = "https2http"
localAddr = "127.0.0.1:80"

[[proxies]]
name = "dns"
type = "udp"
localPort = 53

[[proxies]]
name = "hidden"
type = "stcp"
localPort = 1

[[visitors]]
name = "v"
`

test('frp: proxies come along, and whatever does not has its reason', async () => {
  const { failure, tunnels, notes, yaml, written } = await imported('frpc.toml', frp)
  expect(failure).toBeUndefined()
  expect((await readConfig(written, variables)).proxy).toBe('http://127.0.0.1:3128')
  expect(tunnels).toMatchObject([
    { name: 'ssh', kind: 'tcp', upstream: { port: 22 }, port: 6001 },
    {
      name: 'shop',
      kind: 'http',
      upstream: { port: 8080 },
      domain: 'a.example.com',
      health: { kind: 'http', path: '/status', everyMs: 20_000 },
    },
    { name: 'both', kind: 'tls', upstream: { host: '::1', port: 8443 }, proxyProtocol: 'v2' },
    { name: 'docker', kind: 'tcp', upstream: { path: '/var/run/docker.sock' } },
    {
      name: 'ends',
      kind: 'tls',
      endToEnd: 'http',
      upstream: { host: '127.0.0.1', port: 80 },
      domain: 'c.example.com',
    },
  ])
  expect(yaml).toContain('pool: true')
  expect(yaml).toMatch(/ann:\$\{WEB_PASSWORD\}/)
  expect(Object.keys(notes).sort()).toEqual([
    'auth',
    'proxies.0.remotePort',
    'proxies.0.transport',
    'proxies.1.customDomains',
    'proxies.1.healthCheck',
    'proxies.1.locations',
    'proxies.4.customDomains',
    'proxies.5.type',
    'proxies.6.type',
    'serverAddr',
    'visitors',
  ])
})

test('it replaces no file, prints with -, and leaves out what ptun.yaml would refuse', async () => {
  const first = await imported('ngrok.yml', 'tunnels: {a: {addr: 80}}')
  const again = await imported('ngrok.yml', 'tunnels: {b: {addr: 80}}', first.written)
  expect(again.failure).toMatchObject({ code: 'PT-6016' })
  expect(readFileSync(first.written, 'utf8')).toBe(first.yaml)
  expect((await imported('ngrok.yml', 'tunnels: {b: {addr: 80}}', '-')).out).toContain('upstream: 80')
  const odd = await imported(
    'ngrok.yml',
    'tunnels: {a: {addr: 80, host_header: "no host"}, b: {addr: "no port"}}',
  )
  expect(odd.tunnels).toMatchObject([{ name: 'a' }])
  expect(odd.yaml).not.toContain('hostHeader')
  expect(Object.values(odd.notes)).toEqual([
    expect.stringContaining('It was left out'),
    expect.stringContaining('The tunnel was left out'),
  ])
})

test.each([
  ['frpc.ini', '[common]\nserver_addr = x', 'PT-6014'],
  ['other.yml', 'ingress: []', 'PT-6014'],
  ['broken.toml', 'a = = 1', 'PT-6014'],
  ['broken.yml', 'a: [', 'PT-6014'],
  ['list.yml', '- 1', 'PT-6014'],
  ['bomb.yml', `a: &a [x, x]\n${'b: [*a, *a]\n'.repeat(1)}tunnels: ${'['.repeat(5)}`, 'PT-6014'],
  ['only-udp.toml', '[[proxies]]\nname = "dns"\ntype = "udp"\nlocalPort = 53', 'PT-6015'],
  ['empty.yml', 'tunnels: {}', 'PT-6015'],
  ['odd.yml', 'tunnels: 7\nendpoints: {a: 1}', 'PT-6015'],
  ['long.yml', `tunnels: {}\n#${'x'.repeat(300_000)}`, 'PT-6007'],
])('%s is refused, and nothing is written', async (name, text, code) => {
  const { failure, yaml } = await imported(name, text)
  expect(failure).toMatchObject({ code })
  expect(yaml).toBe('')
})

test('whatever a file says, what is written is a ptun.yaml, or a code says why nothing is', async () => {
  const settings = [
    'proto',
    'addr',
    'domain',
    'url',
    'basic_auth',
    'ip_restriction',
    'request_header',
    'type',
  ]
  const keys = fc.constantFrom(...settings, 'localPort', 'remotePort', 'transport', 'plugin', 'healthCheck')
  const words = fc.constantFrom(
    'tcp',
    'http',
    '$HOME',
    '${X',
    'a.example.com',
    '80',
    'x: y',
    '::1',
    '{{ .Envs.A }}',
  )
  const value = fc.oneof(words, fc.integer(), fc.boolean(), fc.jsonValue({ maxDepth: 2 }), fc.constant(80))
  const one = fc.dictionary(keys, value, { maxKeys: 6 })
  const file = fc.oneof(
    fc.record({ tunnels: fc.dictionary(fc.string(), one, { maxKeys: 3 }) }),
    fc.record({ endpoints: fc.array(one, { maxLength: 3 }), agent: value }),
    fc.record({ proxies: fc.array(one, { maxLength: 3 }), transport: value }),
  )
  await fc.assert(
    fc.asyncProperty(file, async (content) => {
      const { failure } = await imported('any.json', JSON.stringify(content))
      if (failure !== undefined) expect(failure).toMatchObject({ code: 'PT-6015' })
    }),
    { numRuns: 300 },
  )
})
