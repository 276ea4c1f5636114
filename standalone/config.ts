/**
 * Settings of the standalone server: defaults, then `<data>/standalone.yaml`, then PORTTUNNELER_* of the environment,
 * then the command line; the last one wins. Without any settings it can be reached only from this machine: opening it
 * to the world is a decision (`bind: 0.0.0.0` and a `host`), not a default.
 */

import { readFileSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { relayConfigSchema } from '@porttunneler/relay-vm/config'
import { emailSchema } from '@porttunneler/shared/api/schemas/accounts'
import { fail } from '@porttunneler/shared/base/errors'
import { cellDomainMax } from '@porttunneler/shared/base/labels'
import { sayFileError } from '@porttunneler/shared/base/system-errors'
import { planNameSchema } from '@porttunneler/shared/control/money/catalogue-schema'
import { registrationSchema } from '@porttunneler/shared/control/registration'
import { termsSchema } from '@porttunneler/shared/control/terms/settings'
import { resolversSchema } from '@porttunneler/shared/dns/resolvers'
import { mailFromSchema, smtpSchema } from '@porttunneler/shared/mail/settings'
import { trustedProxyListSchema } from '@porttunneler/shared/protocol/endpoint'
import { parse as parseYaml } from 'yaml'
import { z } from 'zod'
import { acmeSchema, forTheWorld, isPublicName } from './acme-settings.ts'
import { backupSchema } from './backup/settings.ts'
import { billingSchema } from './billing-settings.ts'
import { type Authority, authorityFiles, covers, localNames, readAuthority } from './local-authority.ts'
import { signInSchema } from './platform/oidc/settings.ts'
import { digits, portClashes, portSchema, rangeSchema } from './port-settings.ts'
import { readClientSecrets } from './sign-in-secrets.ts'

const openPortSchema = portSchema.refine((port) => port > 0, 'a port from 1 to 65535')
const originSchema = z.url({ protocol: /^https?$/ }).transform((url) => new URL(url).origin)
const hostSchema = z
  .string()
  .toLowerCase()
  .regex(
    /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/,
    'a host name',
  )

const domainSchema = hostSchema.refine(
  (domain) => domain.length <= cellDomainMax,
  `at most ${cellDomainMax} characters`,
)

/** As a list, or as text with commas or blanks between the hosts. */
const hostListSchema = z.preprocess(
  (value) => (typeof value === 'string' ? value.split(/[\s,]+/).filter((part) => part !== '') : value),
  z.array(hostSchema).max(100),
)

const relaysMax = 16

/** Each setting by itself; a file may leave to the environment what another setting needs. */
const shapeSchema = z.strictObject({
  /** The address to listen on. */
  bind: z.union([z.ipv4(), z.ipv6()]).default('127.0.0.1'),
  /** Where the world reaches this machine: the host of tcp endpoints. Default: localhost, if `bind` is loopback. */
  host: z.union([z.ipv4(), domainSchema]).optional(),
  /** Parent of http endpoints: `<tunnel>.<domain>`. Default: `host`, if it is a name. */
  domain: domainSchema
    .refine((domain) => !/(^|\.)\d+$/.test(domain), 'not an address: no names can stand under one')
    .optional(),
  ports: z
    .strictObject({
      console: portSchema.default(8400),
      http: portSchema.default(8480),
      tls: portSchema.default(8443),
      tcp: rangeSchema.prefault('20000-20999'),
      /** Health and metrics, always on loopback. With several relays the port of the first; the others follow. */
      metrics: portSchema.default(8490),
      /** With several relays, the first of their own ports: two each, for agents (TLS) and live figures (HTTP). */
      own: portSchema.default(8444),
    })
    .prefault({}),
  /** PEM files of a certificate for `domain` and `*.domain`; then http endpoints are https. Default: self-signed. */
  certificate: z.strictObject({ certFile: z.string().min(1), keyFile: z.string().min(1) }).optional(),
  /** Certificates that browsers trust, by ACME: for `domain`, the console and each name in use. */
  acme: acmeSchema.optional(),
  /** What the world sees when a proxy or a port mapping is in front. Default: as above. */
  public: z
    .strictObject({
      /** Origin of the console. */
      console: originSchema.optional(),
      /** Further host names by which people and proxies reach the console and the API. */
      names: hostListSchema.default([]),
      /** Origin of the relay's own pages and live figures. */
      live: originSchema.optional(),
      /** Scheme of http endpoints. */
      scheme: z.enum(['http', 'https']).optional(),
      http: openPortSchema.optional(),
      tls: openPortSchema.optional(),
    })
    .prefault({}),
  /** Reverse proxies in front, or `cloudflare`: they are believed about a visitor's address, scheme and host. */
  trustedProxies: trustedProxyListSchema.default([]),
  /** Ports at which the proxies begin each connection with a PROXY header instead. */
  proxyProtocol: z
    .array(z.enum(['http', 'tls', 'tcp']))
    .max(3)
    .default([]),
  /** The certificate that a proxy in front has to show at the tls port. */
  originPulls: relayConfigSchema.shape.originPulls,
  /** The first account's address; its password is generated and shown once. */
  email: emailSchema.default('admin@porttunneler.localhost'),
  /** The mail server. Default: each mail becomes a file in the data folder. */
  mail: z
    .strictObject({
      smtp: smtpSchema.optional(),
      from: mailFromSchema.optional(),
    })
    .prefault({}),
  /** Services that people can sign in with. */
  signIn: signInSchema.prefault({}),
  /** Payments by Stripe. Default: nothing is sold. */
  billing: billingSchema.optional(),
  /** Whether strangers may make accounts, by default only on loopback; whether serving needs a proven mail address. */
  registration: registrationSchema.optional(),
  provenMail: z.union([z.boolean(), z.stringbool()]).default(false),
  /** Documents that people accept before they change anything. Default: none, so nobody is asked. */
  terms: termsSchema,
  /** Plan of every account but the first. Default: unlimited while only this machine reaches the server, else free. */
  plan: planNameSchema.optional(),
  /** Relay processes that share the visitors' ports: two restart without a gap, `auto` is one a core but the first. */
  relays: z
    .union([z.literal('auto'), z.union([z.int(), digits]).pipe(z.int().min(1).max(relaysMax))])
    .default(1),
  /** The resolvers for own domains. */
  dns: z
    .strictObject({
      /** Addresses, with or without a port. Default: public ones. */
      resolvers: resolversSchema,
      /** Their answers are enough: for a network that cannot reach the servers of a domain. */
      trustResolvers: z.union([z.boolean(), z.stringbool()]).default(false),
    })
    .prefault({}),
  demo: z.union([z.boolean(), z.stringbool()]).default(true),
  backup: backupSchema.optional(),
  /** The index of the log that operators search: its size at most, 0 for none, and its age. */
  logs: z
    .strictObject({
      megabytes: z.union([z.literal(0), z.int().min(8).max(100_000)]).default(64),
      days: z.int().min(1).max(365).default(14),
    })
    .prefault({}),
  alerts: z
    .strictObject({
      /** Webhooks may go to private addresses: for a team whose receivers are in its own network. */
      privateWebhooks: z.union([z.boolean(), z.stringbool()]).default(false),
      /** Gets a POST after each look at the service, every five minutes. */
      heartbeat: z.url({ protocol: /^https$/ }).optional(),
    })
    .prefault({}),
  /** How long open connections may go on after a stop signal. */
  graceSeconds: z.number().min(0).max(3_600).default(10),
})

const configSchema = shapeSchema
  .check((context) => {
    const { bind, host, mail, ports, acme, certificate, domain = host ?? '' } = context.value
    for (const message of portClashes(ports))
      context.issues.push({ code: 'custom', message, path: ['ports'], input: ports })
    if (!isLoopback({ bind }) && host === undefined)
      context.issues.push({ code: 'custom', message: hostMissing, path: ['host'], input: host })
    if (acme && !isPublicName(domain))
      context.issues.push({ code: 'custom', message: domainMissing, path: ['acme'], input: acme })
    if (acme && certificate)
      context.issues.push({
        code: 'custom',
        message: 'not beside "certificate"',
        path: ['acme'],
        input: acme,
      })
    if ((mail.smtp === undefined) !== (mail.from === undefined))
      context.issues.push({
        code: 'custom',
        message: 'needs both "smtp" and "from"',
        path: ['mail'],
        input: mail,
      })
  })
  .transform(({ host = 'localhost', domain, relays, mail: { smtp, from }, ...rest }) => ({
    ...rest,
    mail: smtp && from !== undefined ? { smtp, from } : undefined,
    relays: relays === 'auto' ? relaysFor(availableParallelism()) : relays,
    host,
    domain: domain ?? (isIPv4(host) ? 'localhost' : host),
  }))

/** The first core is for the control plane and the machine's other work. */
export function relaysFor(cores: number): number {
  return Math.min(Math.max(cores - 1, 1), relaysMax)
}

const hostMissing =
  'is needed when "bind" is not loopback: the name or address by which the world reaches this machine'

const domainMissing = 'needs "domain": the name for which certificates are to be ordered'

/** Whether only this machine reaches the server. */
export function isLoopback({ bind }: { bind: string }): boolean {
  return bind === '::1' || bind.startsWith('127.')
}

export type Config = z.infer<typeof configSchema> & {
  /** The authority of its own, where "npm run trust" has made one and no other is set. */
  readonly authority?: Authority
}
export type Settings = {
  readonly data: string
  /** Relays run from the bundle that `npm start` makes, 20 to 45 MB smaller each, or else from their source. */
  readonly isBundled: boolean
  readonly config: Config
  /** Whether there is an authority of its own that is not for its present names. */
  readonly hasOldAuthority: boolean
}

/** Environment variables and their settings. */
const variables: Readonly<Record<string, readonly [string, string?]>> = {
  PORTTUNNELER_BIND: ['bind'],
  PORTTUNNELER_HOST: ['host'],
  PORTTUNNELER_DOMAIN: ['domain'],
  PORTTUNNELER_DEMO: ['demo'],
  PORTTUNNELER_EMAIL: ['email'],
  PORTTUNNELER_ACME_EMAIL: ['acme', 'email'],
  PORTTUNNELER_REGISTRATION: ['registration'],
  PORTTUNNELER_PROVEN_MAIL: ['provenMail'],
  PORTTUNNELER_TERMS: ['terms'],
  PORTTUNNELER_CONSOLE_PORT: ['ports', 'console'],
  PORTTUNNELER_HTTP_PORT: ['ports', 'http'],
  PORTTUNNELER_TLS_PORT: ['ports', 'tls'],
  PORTTUNNELER_TCP_PORTS: ['ports', 'tcp'],
  PORTTUNNELER_METRICS_PORT: ['ports', 'metrics'],
  PORTTUNNELER_OWN_PORTS: ['ports', 'own'],
  PORTTUNNELER_RELAYS: ['relays'],
  PORTTUNNELER_CONSOLE_URL: ['public', 'console'],
  PORTTUNNELER_NAMES: ['public', 'names'],
  PORTTUNNELER_TRUSTED_PROXIES: ['trustedProxies'],
  PORTTUNNELER_RESOLVERS: ['dns', 'resolvers'],
  PORTTUNNELER_TRUST_RESOLVERS: ['dns', 'trustResolvers'],
  PORTTUNNELER_PRIVATE_WEBHOOKS: ['alerts', 'privateWebhooks'],
  PORTTUNNELER_HEARTBEAT: ['alerts', 'heartbeat'],
  PORTTUNNELER_MAIL_SMTP: ['mail', 'smtp'],
  PORTTUNNELER_MAIL_FROM: ['mail', 'from'],
  PORTTUNNELER_STRIPE_KEY: ['billing', 'key'],
  PORTTUNNELER_STRIPE_WEBHOOK_SECRET: ['billing', 'webhookSecret'],
  PORTTUNNELER_STRIPE_EVENTS_SECRET: ['billing', 'eventsSecret'],
  PORTTUNNELER_STRIPE_SERVER: ['billing', 'server'],
}

export type Sources = {
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** The text of a file, undefined when there is none. */
  readonly readText: (path: string) => string | undefined
  /** Whether other users of the machine can read it. */
  readonly isOpen: (path: string) => boolean
}

/** @throws standalone.config naming the setting and its source, standalone.readable, standalone.authority */
export function readSettings({ args, env, readText, isOpen }: Sources): Settings {
  const options = readOptions(args)
  const data = resolve(options.data ?? (env.PORTTUNNELER_DATA || 'data'))
  const file = resolve(data, 'standalone.yaml')
  const fromFile = yamlObject(file, readText(file))
  if (holdsPassword(check(shapeSchema, fromFile, file)) && isOpen(file))
    throw fail(
      'standalone.readable',
      `${file} holds a secret (of mail, a certificate authority, sign-in or Stripe), and others can read it.`,
    )
  const config = check(configSchema, forTheWorld(withVariables(fromFile, env)), 'settings')
  const signIn = { providers: readClientSecrets(config.signIn.providers, { data, readText, isOpen }) }
  const kept = resolve(data, authorityFiles.folder, authorityFiles.secret)
  const text = config.acme || config.certificate ? undefined : readText(kept)
  const authority = text === undefined ? undefined : readAuthority(kept, text)
  const isOurs = authority !== undefined && covers(authority, localNames(config))
  return {
    ...{ data, isBundled: options.bundled ?? false },
    config: { ...config, signIn, ...(isOurs && { authority }) },
    hasOldAuthority: authority !== undefined && !isOurs,
  }
}

/** The secrets that the file may hold. */
function holdsPassword({ mail: { smtp }, acme, signIn, billing }: z.infer<typeof shapeSchema>): boolean {
  if (billing) return true
  if (signIn.providers.some(({ secret }) => secret !== undefined)) return true
  if (acme?.issuers.some(({ key }) => key !== undefined)) return true
  return smtp !== undefined && new URL(smtp.reveal()).password !== ''
}

function readOptions(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: { data: { type: 'string' }, bundled: { type: 'boolean' } } })
      .values
  } catch (cause) {
    throw fail('standalone.config', `command line: ${messageOf(cause)}`, { cause })
  }
}

type Layer = Readonly<Record<string, unknown>>

function yamlObject(file: string, text: string | undefined): Layer {
  if (text === undefined) return {}
  try {
    return z.record(z.string(), z.unknown()).parse(parseYaml(text) ?? {})
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? 'not a list of "setting: value" lines' : messageOf(cause)
    throw fail('standalone.config', `${file}: ${reason}`, { cause })
  }
}

function withVariables(layer: Layer, env: Sources['env']): Layer {
  const result: Record<string, unknown> = { ...layer }
  for (const [variable, [key, inner]] of Object.entries(variables)) {
    const value = env[variable]
    if (value === undefined || value === '') continue
    result[key] = inner === undefined ? value : { ...(result[key] as object | undefined), [inner]: value }
  }
  return result
}

function check<T>(schema: z.ZodType<T>, layer: Layer, source: string): T {
  const result = schema.safeParse(layer)
  if (result.success) return result.data
  const issues = result.error.issues.map(({ path, message }) =>
    path.length > 0 ? `${path.join('.')}: ${message}` : message,
  )
  throw fail('standalone.config', `${source}: ${issues.join('; ')}`, { cause: result.error })
}

/**
 * The `readText` of a real start. Any reason except a missing file is an error of the settings. @throws
 * standalone.config
 */
export function readTextFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR'))
      return undefined
    throw fail('standalone.config', `${path} cannot be read${sayFileError(cause)}`, { cause })
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
