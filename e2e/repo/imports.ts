/**
 * Which layer may import which (docs/architecture.md), and where SDKs may appear: in platform folders and at entry
 * points only, so that the domain and the data plane never see one.
 */
import { posix } from 'node:path'
import { isTest, type Source, type Violation, violation } from './sources.ts'

const sharedLayers = [
  'base',
  'protocol',
  'http',
  'mux',
  'api',
  'control',
  'dns',
  'mail',
  'payments',
  'telemetry',
  'testing',
] as const
type Layer =
  | (typeof sharedLayers)[number]
  | 'service'
  | 'cli'
  | 'relay-vm'
  | 'functions'
  | 'standalone'
  | 'ptunctl'
  | 'web'
  | 'docs'
  | 'free'

/** shared/api is two layers: what both sides of the API agree on, and, above the rules, the routes that serve it. */
const contract = /^shared\/api\/(schemas\/|client|problem\b)/

/** They need zod, which the console does without (docs/decisions/0012-console-size.md): its CSP refuses part of zod. */
const schemas = /^shared\/api\/schemas\/(?!(?:tunnel-words|security-kinds|report-words)\b)/

const dataPlane: readonly Layer[] = ['base', 'protocol', 'http', 'mux', 'api']
const controlPlane: readonly Layer[] = [
  'base',
  'protocol',
  'api',
  'control',
  'dns',
  'mail',
  'payments',
  'telemetry',
  'service',
]

/** Every layer may import itself. Tests of a layer may also import `testing`. */
const allowed: Readonly<Record<Exclude<Layer, 'free'>, readonly Layer[]>> = {
  base: [],
  protocol: ['base'],
  http: ['base', 'protocol', 'api'],
  mux: ['base', 'protocol'],
  api: ['base', 'protocol'],
  control: ['base', 'protocol', 'api'],
  dns: ['base', 'control'],
  mail: ['base', 'control'],
  payments: ['base', 'control'],
  telemetry: ['base'],
  service: ['base', 'protocol', 'api', 'control'],
  testing: [...sharedLayers, 'service'],
  cli: dataPlane,
  'relay-vm': dataPlane,
  functions: controlPlane,
  standalone: [...controlPlane, 'relay-vm'],
  ptunctl: [...controlPlane, 'standalone', 'functions'],
  web: ['base', 'protocol', 'api'],
  docs: ['base', 'protocol', 'api'],
}

/** Packages and built-ins that tie code to one technology. */
const sdks = [
  /^node:sqlite$/,
  /^@hono\/node-server/,
  /^@google-cloud\//,
  /^firebase/,
  /^stripe$/,
  /^cloudflare$/,
  /^nodemailer/,
  /^@opentelemetry\//,
]

/** shared/ runs in both shells, partly in the browser: these and no other packages. */
const sharedPackages = [
  'zod',
  'jose',
  'hono',
  '@hono/zod-openapi',
  'ulid',
  'tldts',
  'dns-packet',
  'nodemailer',
  '@simplewebauthn/server',
  'otpauth',
  'stripe',
  '@opentelemetry/api',
  '@opentelemetry/exporter-metrics-otlp-http',
  '@opentelemetry/exporter-trace-otlp-http',
  '@opentelemetry/resources',
  '@opentelemetry/sdk-metrics',
  '@opentelemetry/sdk-trace-base',
  'vitest',
  'fast-check',
]
/** The control plane is pure except for hashing and random bytes. */
const controlBuiltins = ['node:crypto', 'node:buffer', 'node:assert', 'node:assert/strict']

export function checkImports(source: Source): readonly Violation[] {
  const layer = layerOf(source.path)
  return importsOf(source).flatMap(({ specifier, start, isType }) => {
    const message = checkImport(source.path, layer, { specifier, isType })
    return message === undefined ? [] : [violation(source, start, message)]
  })
}

type Import = { readonly specifier: string; readonly isType: boolean }

function checkImport(path: string, layer: Layer, { specifier, isType }: Import): string | undefined {
  const target = targetOf(path, specifier)
  if (target === undefined) return checkPackage(path, layer, { specifier, isType })
  const to = layerOf(target)
  if (to === layer || layer === 'free') return undefined
  if (isTest(path) && (to === 'testing' || isRealPart(target))) return undefined
  if (layer === 'web' && !isType && schemas.test(target) && !isTest(path))
    return `web may use types of schemas alone (${specifier}): the schema library weighs more than the console`
  if (to !== 'free' && allowed[layer].includes(to)) return undefined
  return `${layer} may not import ${to} (${specifier})`
}

function checkPackage(path: string, layer: Layer, { specifier, isType }: Import): string | undefined {
  if (isTest(path) || layer === 'free') return undefined
  // A type alone loads nothing; in shared/ it would still tie the domain to one technology.
  const isSdk = sdks.some((sdk) => sdk.test(specifier)) && !isType
  if (isSdk && !isPlatform(path) && !isEntryPoint(path))
    return `${specifier} belongs into a platform/ folder or an entry point`
  if (!path.startsWith('shared/')) return undefined
  if (specifier === 'stripe' && !stripeOnlyIn.test(path)) return 'stripe belongs into shared/payments'
  if (!specifier.startsWith('node:')) {
    const name = specifier
      .split('/')
      .slice(0, specifier.startsWith('@') ? 2 : 1)
      .join('/')
    return sharedPackages.includes(name) ? undefined : `shared may not depend on ${name}`
  }
  const isPure = layer === 'api' || layer === 'control' || layer === 'service'
  return isPure && !controlBuiltins.includes(specifier)
    ? `${layer} sees the world through platform.ts only, not ${specifier}`
    : undefined
}

export function isEntryPoint(path: string): boolean {
  return /(^|\/)main\.tsx?$/.test(path) || /^functions\/[^/]+\.ts$/.test(path) || /^bench\//.test(path)
}

/** `shared/mail` speaks SMTP, `shared/payments` to Stripe and `shared/telemetry` OTLP, for both shells. */
function isPlatform(path: string): boolean {
  return path.includes('/platform/') || /^shared\/(?:mail|payments|telemetry)\//.test(path)
}

/** Even a type would tie the domain to one payment service. */
const stripeOnlyIn = /^shared\/(?:payments|testing\/stripe)\//

/** Real parts instead of mocks: rules are tested on the store of one machine, and the client on the API itself. */
function isRealPart(target: string): boolean {
  return /^standalone\/(platform|testing)\//.test(target) || layerOf(target) === 'service'
}

/** The repository path that an import leads to; undefined for packages and built-ins. */
function targetOf(path: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return posix.join(posix.dirname(path), specifier)
  const match = /^(?:@porttunneler\/([a-z0-9-]+)|porttunneler)(\/.*)?$/.exec(specifier)
  return match ? `${match[1] ?? 'cli'}${match[2] ?? '/index.ts'}` : undefined
}

function layerOf(path: string): Layer {
  // What bundles a program is no part of it.
  if (/^[\w-]+\/(?:inspector\/)?(?:build|archive|vite\.config)\.ts$/.test(path)) return 'free'
  const [top, second] = path.split('/')
  if (top === 'shared' && second === 'api' && !contract.test(path)) return 'service'
  if (top === 'shared') return sharedLayers.find((layer) => layer === second) ?? 'free'
  return top !== undefined && top !== 'free' && Object.hasOwn(allowed, top) ? (top as Layer) : 'free'
}

export function importsOf({ parsed, text }: Source): readonly (Import & { readonly start: number })[] {
  const { staticImports, staticExports, dynamicImports } = parsed.module
  return [
    ...staticImports.map(({ moduleRequest, start, entries }) => ({
      specifier: moduleRequest.value,
      start,
      isType: entries.length > 0 && entries.every((entry) => entry.isType),
    })),
    ...staticExports.flatMap(({ entries, start }) =>
      entries.flatMap(({ moduleRequest }) =>
        moduleRequest ? [{ specifier: moduleRequest.value, start, isType: false }] : [],
      ),
    ),
    ...dynamicImports.flatMap(({ moduleRequest, start }) => {
      const literal = /^(['"])(.*)\1$/.exec(text.slice(moduleRequest.start, moduleRequest.end))
      return literal?.[2] === undefined ? [] : [{ specifier: literal[2], start, isType: false }]
    }),
  ]
}
