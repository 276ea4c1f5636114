/**
 * The relay's JSON file. It is checked whole before anything starts: an unknown field is refused, and a missing field
 * gets its default here and nowhere else. Secrets may come from the environment instead, so that the file can be
 * public.
 */

import { readFile } from 'node:fs/promises'
import { fail } from '@porttunneler/shared/base/errors'
import { Secret } from '@porttunneler/shared/base/secret'
import { sayFileError } from '@porttunneler/shared/base/system-errors'
import { networkSchema, trustedProxySchema } from '@porttunneler/shared/protocol/endpoint'
import { z } from 'zod'

const port = z.int().min(0).max(65_535)
const hostName = z.string().regex(/^[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9])?$/, 'a host name in lower case')
const hostPattern = /^(\*\.)?[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9])?$/
const address = z.union([z.ipv4(), z.ipv6(), z.literal('localhost')])
const rate = z.strictObject({ perMinute: z.int().min(1), burst: z.int().min(1) })

const listenSchema = z.strictObject({
  /** Agents and HTTPS visitors. */
  tls: z.strictObject({ host: address.default('0.0.0.0'), port }),
  /** Plain HTTP visitors, live figures, pages. */
  http: z.strictObject({ host: address.default('0.0.0.0'), port }),
  /** Where leased ports are opened. */
  tcpHost: address.default('0.0.0.0'),
  /** Metrics and health: for the operator's own network only. */
  admin: z
    .strictObject({
      host: address.default('127.0.0.1'),
      port,
      /**
       * Host names that are accepted in requests, besides addresses, loopback names, `public.names` and the machine's
       * name.
       */
      names: z.array(hostName).max(16).default([]),
      /** A file of further figures in Prometheus' text form, which are added to `/metrics`. */
      figures: z.string().min(1).optional(),
    })
    .prefault({ port: 0 }),
  /**
   * Set when other processes share all these ports, beside this one or as its successor: the folder of Unix sockets in
   * which they find each other.
   */
  siblings: z.string().min(1).optional(),
  /**
   * With several processes beside each other: where agents (TLS) and readers of live figures (HTTP) reach exactly this
   * one.
   */
  own: z.strictObject({ host: address.default('0.0.0.0'), tlsPort: port, httpPort: port }).optional(),
})

const publicSchema = z.strictObject({
  /** Where agents dial this process. */
  agentHost: z.union([hostName, address]),
  /** Default: the port that `listen.tls` got. */
  agentPort: z.int().min(1).max(65_535).optional(),
  /** The server name that agents ask for. It tells them apart from visitors. */
  agentSni: hostName,
  /** Names and addresses for which this relay itself answers HTTP requests (live figures). */
  names: z
    .array(z.union([hostName, z.ipv4()]))
    .min(1)
    .max(16),
  /** Default: `http://` + the first name + the port that `listen.http` got. */
  watchUrl: z.url({ protocol: /^https?$/ }).optional(),
  /** Parent of the names of http endpoints, for the self-signed certificate. */
  domain: hostName.optional(),
})

/** A full handshake costs about half a millisecond of a core: 1,000 a second use half of it. */
const handshakesSchema = z.strictObject({
  /** At most this many of visitors at a time, and as many again of agents. */
  running: z.int().min(1).default(512),
  visitors: rate.default({ perMinute: 60_000, burst: 2_000 }),
  /** All agents of a relay may come back at once. */
  agents: rate.default({ perMinute: 60_000, burst: 5_000 }),
  /** From one /24 or /64. */
  source: rate.default({ perMinute: 3_000, burst: 600 }),
})

/** What a large machine can serve. A smaller machine gets a limit by its own size. */
export const visitorsMaxDefault = 50_000

const limitsSchema = z.strictObject({
  /** Visitor connections at a time. */
  visitorsMax: z.int().min(1).default(visitorsMaxDefault),
  /**
   * Sockets that have not yet said who they are (ClientHello, request head, HELLO). When there are more, the oldest
   * yield.
   */
  strangersMax: z.int().min(1).default(2_000),
  sessionsMax: z.int().min(1).default(5_000),
  watchersMax: z.int().min(1).default(500),
  watchersPerAccount: z.int().min(1).default(50),
  /** New connections from one /24 or /64. */
  source: rate.default({ perMinute: 6_000, burst: 1_000 }),
  handshakes: handshakesSchema.prefault({}),
  /**
   * When resident memory is above this, nobody new is admitted and idle connections are closed. Default: half the
   * machine's memory.
   */
  memoryMiB: z.int().min(64).optional(),
  /** New connections to all tunnels of one account: more than a core can accept. Plans set lower limits. */
  account: rate.default({ perMinute: 600_000, burst: 60_000 }),
  /** Sources that `source` does not count: this machine by default. Add the balancer's probes. */
  exempt: z.array(networkSchema).max(100).default(['127.0.0.0/8', '::1']),
  /** How often the usage of a running hour is reported, ms. More often costs the control plane writes. */
  usageMs: z.int().min(1_000).default(900_000),
})

const projectId = z.string().regex(/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/, 'the id of a Google Cloud project')
const resourceId = z.string().regex(/^[A-Za-z][A-Za-z0-9._~+%-]{2,254}$/, 'the id of a topic or subscription')

/** The subscription that the infrastructure made for this relay's slot in its cell. */
const pubsubSchema = z.strictObject({
  project: projectId,
  subscription: resourceId,
  /** Topic of security events that must not wait for `sync`. Default: they wait. */
  events: resourceId.optional(),
})

export const relayConfigSchema = z.strictObject({
  /** Name of this process in its cell. */
  instance: z.string().regex(/^[a-z0-9-]{1,32}$/, 'lower-case letters, digits and hyphens, at most 32'),
  dataDir: z.string().min(1),
  controlUrl: z.url({ protocol: /^https?$/ }),
  /** Parent of the pages about error codes. Default: `controlUrl`. */
  docsUrl: z.url({ protocol: /^https?$/ }).optional(),
  /**
   * How the relay proves itself: by enrolment, or as a VM of Google Compute Engine by a token from its metadata server.
   */
  identity: z.enum(['enrolled', 'google']).default('enrolled'),
  /** Needed once, at the first start of an enrolled relay. */
  enrolmentKey: z
    .string()
    .min(1)
    .transform((value) => new Secret(value))
    .optional(),
  listen: listenSchema,
  public: publicSchema,
  /** PEM files. Default: a self-signed certificate is made in `tlsDir`. */
  certificate: z.strictObject({ certFile: z.string().min(1), keyFile: z.string().min(1) }).optional(),
  /**
   * Shared by the relays that take turns at the same address, because agents know the certificate. Default: `dataDir`.
   */
  tlsDir: z.string().min(1).optional(),
  /**
   * Proxies and load balancers in front of the visitor ports. The relay believes what they say about address, scheme
   * and host in X-Forwarded-* or Forwarded. List no address that visitors could use otherwise. `cloudflare`: all of
   * Cloudflare's networks, which are believed in CF-Connecting-IP and X-Forwarded-Proto alone.
   */
  trustedProxies: z.array(trustedProxySchema).max(100).default([]),
  /** The ports where a connection from them must begin with a PROXY header (v1 or v2), which is believed instead. */
  proxyProtocol: z
    .array(z.enum(['http', 'tls', 'tcp']))
    .max(3)
    .default([]),
  /**
   * The certificate that a proxy in front has to show at the names whose TLS ends here, by the CA in `caFile` (PEM).
   * `names`: host names, or `*.` for all below. Default: all but the relay's own.
   */
  originPulls: z
    .strictObject({
      caFile: z.string().min(1),
      names: z.array(z.string().regex(hostPattern, 'a host name in lower case')).min(1).max(100).optional(),
    })
    .optional(),
  /** How commands come at once. Default: from the parent process if there is one, and always by `sync`. */
  commands: z.strictObject({ pubsub: pubsubSchema }).optional(),
  /** Sends the log to Cloud Logging too, as the VM that this is. Default: to stdout alone. */
  logs: z.strictObject({ google: z.strictObject({ project: projectId }) }).optional(),
  limits: limitsSchema.prefault({}),
  /** How long streams may go on after SIGTERM. */
  graceMs: z.int().min(0).max(600_000).default(30_000),
  /** Shown on visitor pages. */
  abuseUrl: z.url({ protocol: /^(https?|mailto)$/ }).optional(),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
})
export type RelayConfig = z.infer<typeof relayConfigSchema>

/** Environment variables that may supply a secret instead of the file. */
export type RelayEnvironment = { readonly PTUN_ENROLMENT_KEY?: string | undefined }

/** @throws relay.config naming the first wrong field */
export function parseConfig(text: string, environment: RelayEnvironment): RelayConfig {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw fail('relay.config', 'The file is not JSON', { cause })
  }
  const parsed = relayConfigSchema.safeParse(json)
  if (!parsed.success) throw fail('relay.config', sayIssues(parsed.error))
  const key = environment.PTUN_ENROLMENT_KEY
  return key === undefined || key === '' ? parsed.data : { ...parsed.data, enrolmentKey: new Secret(key) }
}

/** @throws relay.config */
export async function loadConfig(path: string, environment: RelayEnvironment): Promise<RelayConfig> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw fail('relay.config', `${path} cannot be read${sayFileError(cause)}`, { cause })
  }
  return parseConfig(text, environment)
}

function sayIssues(error: z.ZodError): string {
  return error.issues.map(({ path, message }) => `${path.join('.') || 'file'}: ${message}`).join('; ')
}
