/**
 * Reads an agent configuration of ngrok, version 2 or 3, as its documentation has it in 2026
 * (https://ngrok.com/docs/agent/config): `tunnels` by name, and the `endpoints` of version 3.
 */
import { z } from 'zod'
import {
  cannot,
  type Draft,
  type Into,
  into,
  type Note,
  named,
  needless,
  objectSchema,
  type Rules,
  rule,
  takeOver,
  text,
  texts,
} from './draft.ts'

/** Hosts that ngrok lends: their first label is what a name is here. */
const lent = /^([a-z0-9-]+)\.(?:[a-z]{2}\.)?ngrok(?:-free)?\.(?:app|dev|io|pizza|pro)$/i

const gone = 'There is nothing like it in ptun'
const filter = `${gone}: do it in the program behind the tunnel`
const ownTls = 'The service has the certificate. To end TLS at your machine, set e2e: true'

/** ptun has no settings for these, and needs none. */
const aboutTheAgent = [
  ...[
    'version',
    'log',
    'log_format',
    'log_level',
    'console_ui',
    'console_ui_color',
    'update_channel',
    'update_check',
  ],
  ...[
    'web_addr',
    'web_allow_hosts',
    'inspect_db_size',
    'heartbeat_interval',
    'heartbeat_tolerance',
    'connect_timeout',
  ],
  ...[
    'crl_noverify',
    'dns_resolver_ips',
    'remote_management',
    'metadata',
    'description',
    'bindings',
    'inspect',
  ],
] as const
const quiet: Rules = Object.fromEntries(aboutTheAgent.map((setting) => [setting, needless]))

const agentRules: Rules = {
  ...quiet,
  authtoken: () => 'It is for ngrok alone. Run ptun login',
  api_key: () => 'It is for ngrok alone. Run ptun keys create for a key of this service',
  region: () => 'New tunnels go to the nearest cell; cell: names another',
  proxy_url: needless,
  http_proxy: needless,
  socks5_proxy: needless,
  server_addr: () => 'The server is the one that you sign in to: ptun login --server',
  connect_url: () => 'The server is the one that you sign in to: ptun login --server',
  root_cas: () => 'Set NODE_EXTRA_CA_CERTS to the file of your authorities',
  connect_cas: () => 'Set NODE_EXTRA_CA_CERTS to the file of your authorities',
}

const headersSchema = z.strictObject({ add: texts.optional(), remove: texts.optional() })

function headers(field: string) {
  return into(field, headersSchema, ({ add = [], remove = [] }) => ({
    ...(remove.length > 0 && { remove }),
    ...(add.length > 0 && { add: grouped(add) }),
  }))
}

function grouped(lines: readonly string[]): Readonly<Record<string, readonly string[]>> {
  const pairs = lines.map((line) => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()] as const
  })
  const names = [...new Set(pairs.map(([name]) => name))]
  return Object.fromEntries(
    names.map((name) => [name, pairs.flatMap(([own, value]) => (own === name ? [value] : []))]),
  )
}

const restrictionSchema = z.strictObject({ allow_cidrs: texts.optional(), deny_cidrs: texts.optional() })

const shared: Rules = {
  ...quiet,
  ip_restriction: rule(restrictionSchema, ({ allow_cidrs: allow, deny_cidrs: deny }, { tunnel }) => {
    tunnel.policy = { ...(tunnel.policy as object), ...(allow && { allow }), ...(deny && { deny }) }
  }),
  pooling_enabled: into('pool', z.boolean()),
  traffic_policy: cannot(
    `${filter}. Addresses: policy, headers: requestHeaders, other hosts and paths: redirects`,
  ),
  policy: cannot(`${filter}. Addresses: policy, headers: requestHeaders, other hosts and paths: redirects`),
  labels: () => 'Edges and labels are of ngrok alone. Give the tunnel a kind',
}

const web: Rules = {
  ...shared,
  host_header: into('hostHeader', text),
  basic_auth: into('auth', texts),
  auth: into('auth', text, (login) => [login]),
  request_header: headers('requestHeaders'),
  response_header: headers('responseHeaders'),
  schemes: rule(texts, (schemes, target) => void onlyHttps(schemes.join() === 'https', target)),
  bind_tls: rule(
    z.union([z.boolean(), text]),
    (bound, target) => void onlyHttps(bound === true || bound === 'true', target),
  ),
  compression: cannot(`${gone}: compress in the program behind the tunnel`),
  circuit_breaker: cannot(gone),
  websocket_tcp_converter: cannot(gone),
  oauth: cannot(filter),
  oidc: cannot(filter),
  saml: cannot(filter),
  user_agent_filter: cannot(filter),
  verify_webhook: cannot(filter),
  webhook_verification: cannot(filter),
  mutual_tls_cas: cannot(filter),
  crt: cannot(ownTls),
  key: cannot(ownTls),
}

function onlyHttps(isWanted: boolean, { tunnel }: Into): void {
  if (isWanted) tunnel.policy = { ...(tunnel.policy as object), httpsOnly: true }
}

const bytes: Rules = {
  ...shared,
  proxy_proto: into('proxyProtocol', z.union([text, z.int()]), (version) => `v${version}`),
}
const tlsRules: Rules = {
  ...bytes,
  crt: cannot('Let the program behind the tunnel have the certificate, or set e2e: true'),
  key: cannot('Let the program behind the tunnel have the key, or set e2e: true'),
  terminate_at: cannot('TLS ends at the program behind the tunnel, or with e2e: true at ptun'),
  mutual_tls_cas: cannot(filter),
}
const rulesOf = { http: web, tcp: bytes, tls: tlsRules } as const
type Kind = keyof typeof rulesOf

export function readNgrok(file: Readonly<Record<string, unknown>>): Draft {
  const { tunnels = {}, endpoints = [], agent = {}, ...top } = file
  const agentSettings = { ...top, ...objectSchema.catch({}).parse(agent) }
  const target: Into = { name: '', tunnel: {} }
  const notes: Note[] = [...takeOver(agentSettings, { rules: agentRules, target, before: '' })]
  const drafted: Into[] = []
  const add = (place: string, wanted: string, settings: Readonly<Record<string, unknown>>) => {
    const made = readTunnel(wanted, settings, { place, notes })
    if (made) drafted.push(made)
  }
  for (const [name, settings] of Object.entries(objectSchema.catch({}).parse(tunnels)))
    add(`tunnels.${name}`, name, objectSchema.catch({}).parse(settings))
  for (const [index, endpoint] of z.array(objectSchema).catch([]).parse(endpoints).entries()) {
    const { name, upstream, ...settings } = endpoint
    const {
      url: addr,
      protocol,
      proxy_protocol: proxyProtocol,
      ...more
    } = objectSchema.catch({}).parse(upstream)
    const flat = {
      ...settings,
      addr,
      ...(proxyProtocol !== undefined && { proxy_proto: proxyProtocol }),
      ...more,
    }
    const http2 = protocol === 'http2' && { http2: true }
    add(`endpoints.${index}`, String(name ?? `endpoint-${index + 1}`), { ...flat, ...http2 })
  }
  const proxies = [agentSettings.proxy_url, agentSettings.http_proxy, agentSettings.socks5_proxy]
  const proxy = proxies.find((value) => typeof value === 'string' && value !== '')
  return { tunnels: named(drafted), notes, ...(typeof proxy === 'string' && { proxy }) }
}

type Around = { readonly place: string; readonly notes: Note[] }

function readTunnel(
  name: string,
  {
    proto,
    addr,
    url,
    hostname,
    domain,
    subdomain,
    remote_addr: remote,
    http2,
    ...settings
  }: Readonly<Record<string, unknown>>,
  { place, notes }: Around,
): Into | undefined {
  const say = (setting: string, words: string) =>
    void notes.push({ place: `${place}${setting}`, text: words })
  const scheme = typeof url === 'string' ? /^([a-z]+):\/\//i.exec(url)?.[1]?.toLowerCase() : undefined
  const kind = kindOf(proto ?? scheme)
  if (!kind) {
    say(scheme ? '.url' : '.proto', `A tunnel is of kind http, tcp or tls; this one was left out`)
    return undefined
  }
  const upstream = upstreamOf(addr, kind)
  if (upstream === undefined) {
    say(
      '.addr',
      'It is no port or host:port. ptun serves no folders: start a web server for it. The tunnel was left out',
    )
    return undefined
  }
  const target: Into = { name, tunnel: { kind, upstream } }
  if (http2 && kind === 'http')
    target.tunnel.upstreamProtocol = String(upstream).startsWith('https:') ? 'h2' : 'h2c'
  if (kind === 'tcp') {
    const address = remote ?? (scheme ? url : undefined)
    if (typeof address === 'string' && /:\d+$/.test(address))
      say(
        remote === undefined ? '.url' : '.remote_addr',
        'The address is of ngrok. Reserve a port with ptun ports reserve, and name it by port:',
      )
  } else {
    const host = [
      subdomain,
      domain,
      hostname,
      typeof url === 'string' ? url.replace(/^[a-z]+:\/\//i, '').replace(/[:/].*$/, '') : undefined,
    ].find((value) => typeof value === 'string' && value !== '')
    if (typeof host === 'string') takeHost(host, target, (words) => say('', words))
  }
  notes.push(...takeOver(settings, { rules: rulesOf[kind], target, before: `${place}.` }))
  return target
}

/** ngrok serves http where nothing else is said. */
function kindOf(proto: unknown): Kind | undefined {
  if (proto === undefined || proto === 'http' || proto === 'https') return 'http'
  return proto === 'tcp' || proto === 'tls' ? proto : undefined
}

function upstreamOf(addr: unknown, kind: Kind): number | string | undefined {
  if (typeof addr === 'number') return addr
  if (typeof addr !== 'string' || addr === '') return undefined
  if (/^\d+$/.test(addr)) return Number(addr)
  const [, scheme, rest = ''] = /^([a-z][a-z0-9+.-]*):\/\/([^/]*)\/?$/i.exec(addr) ?? []
  if (scheme === undefined) return addr.includes('/') ? undefined : addr
  if (/^https$/i.test(scheme) && kind === 'http') return `https://${rest}`
  const port = /^http$/i.test(scheme) ? 80 : /^(?:https|tls)$/i.test(scheme) ? 443 : undefined
  if (port === undefined && !/^tcp$/i.test(scheme)) return undefined
  return /:\d+$/.test(rest) || port === undefined ? rest : `${rest}:${port}`
}

function takeHost(host: string, target: Into, say: (words: string) => void): void {
  const [, label] = lent.exec(host) ?? []
  if (!host.includes('.') || label !== undefined) {
    target.name = label ?? host
    if (label !== undefined)
      say(`${host} is of ngrok. The tunnel asks for the name ${label} here: its host will be another`)
    return
  }
  target.tunnel.domain = host.toLowerCase()
  say(`${host} is your own: its DNS record must lead here instead (ptun domains add ${host})`)
}
