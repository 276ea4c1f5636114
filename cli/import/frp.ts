/**
 * Reads a client configuration of frp (frpc), in the form that it has had since version 0.52, as TOML, YAML or JSON
 * (https://github.com/fatedier/frp, conf/frpc_full_example.toml).
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

const portSchema = z.int().min(0).max(65_535)

const gone = 'There is nothing like it in ptun'
const signIn = 'It is for frp alone. Run ptun login --server with the address of your PortTunneler server'

const fileRules: Rules = {
  serverAddr: () => signIn,
  auth: () => signIn,
  ...Object.fromEntries(
    [
      ...[
        'serverPort',
        'user',
        'loginFailExit',
        'log',
        'webServer',
        'start',
        'dnsServer',
        'natHoleStunServer',
      ],
      ...['udpPacketSize', 'metadatas', 'clientID'],
    ].map((setting) => [setting, needless]),
  ),
  includes: () => 'Files that it includes are not read. Import each by itself',
  visitors: () =>
    `${gone}: it is the other end of a secret tunnel. Use policy.allow, or a password, at the tunnel`,
  featureGates: cannot(gone),
  virtualNet: cannot(gone),
  transport: rule(objectSchema, ({ tls, protocol }) => {
    if (objectSchema.safeParse(tls).data?.trustedCaFile !== undefined)
      return 'Set NODE_EXTRA_CA_CERTS to the file of your authorities'
    return protocol === undefined || protocol === 'tcp' || protocol === 'wss'
      ? undefined
      : 'ptun speaks TLS over TCP alone'
  }),
}

const headersSchema = z.strictObject({ set: z.record(z.string(), z.string()) })

const checkSchema = z.looseObject({
  type: z.enum(['tcp', 'http']),
  path: z.string().optional(),
  intervalSeconds: z.int().optional(),
})

const common: Rules = {
  ...Object.fromEntries(['metadatas', 'annotations', 'enabled'].map((setting) => [setting, needless])),
  transport: rule(objectSchema, (settings, { tunnel }) => {
    const { proxyProtocolVersion: version, useCompression, bandwidthLimit } = settings
    if (typeof version === 'string' && version !== '') tunnel.proxyProtocol = version
    if (bandwidthLimit !== undefined && bandwidthLimit !== '')
      return 'bandwidthLimit: the plan of the account has the limit'
    return useCompression === true ? `useCompression: ${gone}` : undefined
  }),
  loadBalancer: rule(z.looseObject({ group: z.string() }), ({ group }, target) => {
    target.name = group
    target.tunnel.pool = true
  }),
  healthCheck: rule(checkSchema, ({ type, path, intervalSeconds }, { tunnel }) => {
    const every = intervalSeconds !== undefined && { everySeconds: intervalSeconds }
    tunnel.health = { kind: type, ...(type === 'http' && path !== undefined && { path }), ...every }
    return 'An unhealthy tunnel stays up here, and says so'
  }),
}

const byHost: Rules = {
  ...common,
  subdomain: rule(text, (label, target) => {
    if (label !== '') target.name = label
  }),
  customDomains: rule(texts, ([first, ...more], { tunnel }) => {
    if (first === undefined) return undefined
    tunnel.domain = first.toLowerCase()
    const others = more.length > 0 ? ` Add the others in the same way: ${more.join(', ')}.` : ''
    return `The DNS record must lead here: ptun domains add ${first}.${others}`
  }),
}

const rulesOf: Readonly<Record<'tcp' | 'http' | 'tls', Rules>> = {
  tcp: {
    ...common,
    remotePort: rule(portSchema, (port, { tunnel }) => {
      if (port === 0) return undefined
      tunnel.port = port
      return 'The server must lend this port. Without port: it gives a free one'
    }),
  },
  http: {
    ...byHost,
    httpUser: needless,
    httpPassword: needless,
    hostHeaderRewrite: into('hostHeader', text),
    requestHeaders: into('requestHeaders', headersSchema),
    responseHeaders: into('responseHeaders', headersSchema),
    locations: cannot('All paths of a host lead to one tunnel: divide them in the program behind it'),
    routeByHTTPUser: cannot(gone),
  },
  tls: byHost,
}

const kinds = { tcp: 'tcp', http: 'http', https: 'tls' } as const

export function readFrp(file: Readonly<Record<string, unknown>>): Draft {
  const { proxies = [], ...top } = file
  const none: Into = { name: '', tunnel: {} }
  const notes: Note[] = [...takeOver(withVariables(top), { rules: fileRules, target: none, before: '' })]
  const tunnels: Into[] = []
  for (const [index, proxy] of z.array(objectSchema).catch([]).parse(proxies).entries()) {
    const made = readProxy(withVariables(proxy), `proxies.${index}`, notes)
    if (made) tunnels.push(made)
  }
  const proxy = objectSchema.safeParse(top.transport).data?.proxyURL
  return { tunnels: named(tunnels), notes, ...(typeof proxy === 'string' && proxy !== '' && { proxy }) }
}

/** `{{ .Envs.NAME }}` is `${NAME}` here. */
function withVariables(settings: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const filled = (value: unknown): unknown => {
    if (typeof value === 'string')
      return value.replace(/\{\{-?\s*\.Envs\.(\w+)\s*-?\}\}/g, (_, name: string) => `$\{${name}}`)
    if (Array.isArray(value)) return value.map(filled)
    return typeof value === 'object' && value !== null && !(value instanceof Date)
      ? Object.fromEntries(Object.entries(value).map(([name, own]) => [name, filled(own)]))
      : value
  }
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, filled(value)]))
}

function readProxy(proxy: Readonly<Record<string, unknown>>, place: string, notes: Note[]): Into | undefined {
  const { name, type, localIP, localPort, plugin, ...settings } = proxy
  const leaveOut = (setting: string, why: string) => {
    notes.push({ place: `${place}.${setting}`, text: `${why}. The tunnel was left out` })
    return undefined
  }
  if (settings.enabled === false) return leaveOut('enabled', `${String(name)} is off`)
  const kind =
    typeof type === 'string' && Object.hasOwn(kinds, type) ? kinds[type as keyof typeof kinds] : undefined
  if (!kind)
    return leaveOut(
      'type',
      type === 'udp' || type === 'sudp' ? 'PortTunneler carries TCP alone' : `${gone} for "${String(type)}"`,
    )
  const target: Into = { name: String(name ?? `proxy-${place.replace(/\D/g, '')}`), tunnel: { kind } }
  const upstream = plugin === undefined ? localOf(localIP, localPort) : upstreamOfPlugin(plugin, target)
  if (upstream === undefined)
    return leaveOut(
      plugin === undefined ? 'localPort' : 'plugin',
      plugin === undefined ? 'There is no port' : `${gone} for this plugin`,
    )
  target.tunnel.upstream = upstream
  const { httpUser, httpPassword } = settings
  if (kind === 'http' && typeof httpUser === 'string' && httpUser !== '')
    target.tunnel.auth = [`${httpUser}:${typeof httpPassword === 'string' ? httpPassword : ''}`]
  notes.push(
    ...takeOver(settings, {
      rules: rulesOf[target.tunnel.kind as keyof typeof rulesOf],
      target,
      before: `${place}.`,
    }),
  )
  return target
}

function localOf(host: unknown, port: unknown): number | string | undefined {
  if (typeof port !== 'number') return undefined
  if (typeof host !== 'string' || host === '' || host === '127.0.0.1') return port
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

const pluginSchema = z.looseObject({
  type: z.string(),
  localAddr: z.string().optional(),
  unixPath: z.string().optional(),
  hostHeaderRewrite: z.string().optional(),
  requestHeaders: headersSchema.optional(),
})

/** The plugins that only change how the upstream is reached. TLS of visitors ends at the service, or at ptun (e2e). */
function upstreamOfPlugin(plugin: unknown, { tunnel }: Into): string | undefined {
  const parsed = pluginSchema.safeParse(plugin)
  if (!parsed.success) return undefined
  const { type, localAddr, unixPath, hostHeaderRewrite, requestHeaders } = parsed.data
  if (type === 'unix_domain_socket' && unixPath !== undefined) return `unix:${unixPath}`
  if (localAddr === undefined || !/^(?:https2https|https2http|http2https|http2http)$/.test(type))
    return undefined
  if (tunnel.kind === 'tcp' && type.startsWith('https')) return undefined
  if (type.startsWith('https')) tunnel.e2e = true
  tunnel.kind = 'http'
  if (hostHeaderRewrite !== undefined) tunnel.hostHeader = hostHeaderRewrite
  if (requestHeaders !== undefined) tunnel.requestHeaders = requestHeaders
  return type.endsWith('https') ? `https://${localAddr}` : localAddr
}
