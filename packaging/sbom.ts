/**
 * The bill of materials of a bundle, as CycloneDX 1.6: the packages whose code is inside, with the hashes of the lock
 * file, and the Node that comes along with its own libraries. The same content has the same text, so it names no time.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Bundled } from './materials.ts'

const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({ version: z.string().optional(), integrity: z.string().optional() }),
  ),
})

/** Libraries inside Node that have holes of their own from time to time. */
const nodeLibraries = [
  'ares',
  'brotli',
  'llhttp',
  'nghttp2',
  'openssl',
  'sqlite',
  'undici',
  'uv',
  'v8',
  'zlib',
  'zstd',
]

type Component = { readonly 'bom-ref': string; readonly name: string }

/**
 * @param packages in any order; one that is there twice counts once
 * @param versions those of the Node that comes along: `process.versions`; nothing where a browser or Google has its own
 */
export function sbomOf(
  { name, version }: { readonly name: string; readonly version: string },
  packages: readonly Bundled[],
  versions?: NodeJS.ProcessVersions,
): string {
  const hashes = readHashes()
  const unique = new Map(packages.map((one) => [`${one.name}@${one.version}`, one]))
  const root = `pkg:generic/${name}@${version}`
  const components: readonly Component[] = [
    ...(versions === undefined ? [] : [nodeComponent(versions)]),
    ...[...unique]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([id, one]) => packageComponent(one, hashes.get(id))),
  ]
  const refs = components.map((component) => component['bom-ref'])
  const content = {
    metadata: {
      lifecycles: [{ phase: 'build' }],
      component: {
        type: 'application',
        'bom-ref': root,
        purl: root,
        name,
        version,
        licenses: licensesOf('Apache-2.0'),
      },
    },
    components,
    dependencies: [{ ref: root, dependsOn: refs }, ...refs.map((ref) => ({ ref }))],
  }
  const head = { bomFormat: 'CycloneDX', specVersion: '1.6', serialNumber: serialOf(content), version: 1 }
  const $schema = 'http://cyclonedx.org/schema/bom-1.6.schema.json'
  return `${JSON.stringify({ $schema, ...head, ...content }, null, 2)}\n`
}

const packagesSchema = z.object({
  components: z.array(
    z.object({
      ...{ group: z.string().optional(), name: z.string(), version: z.string() },
      licenses: z
        .array(
          z.union([
            z.object({ expression: z.string() }).transform(({ expression }) => expression),
            z
              .object({ license: z.union([z.object({ id: z.string() }), z.object({ name: z.string() })]) })
              .transform(({ license }) => ('id' in license ? license.id : license.name)),
          ]),
        )
        .optional(),
    }),
  ),
})

/** The packages of a bill of ours that names no Node: what is inside something larger. */
export function packagesIn(sbom: string): readonly Bundled[] {
  return packagesSchema.parse(JSON.parse(sbom)).components.map(({ group, name, version, licenses }) => ({
    name: group === undefined ? name : `${group}/${name}`,
    version,
    license: licenses?.[0],
  }))
}

function packageComponent({ name, version, license }: Bundled, integrity: string | undefined): Component {
  const [scope, plain = name] = name.startsWith('@') ? name.split('/') : [undefined, name]
  const purl = `pkg:npm/${scope === undefined ? '' : `${encodeURIComponent(scope)}/`}${plain}@${version}`
  return {
    ...{ type: 'library', 'bom-ref': purl, purl },
    ...(scope !== undefined && { group: scope }),
    ...{ name: plain, version },
    ...(license !== undefined && { licenses: licensesOf(license) }),
    ...(integrity !== undefined && { hashes: [hashOf(integrity)] }),
  }
}

function nodeComponent(versions: NodeJS.ProcessVersions): Component {
  const ref = `pkg:generic/node@${versions.node}`
  const library = (name: string, version: string) => ({
    ...{ type: 'library', 'bom-ref': `${ref}#${name}`, name, version },
  })
  return {
    ...{ type: 'platform', 'bom-ref': ref, purl: ref, name: 'node', version: versions.node },
    ...{ cpe: `cpe:2.3:a:nodejs:node.js:${versions.node}:*:*:*:*:*:*:*`, licenses: licensesOf('MIT') },
    components: nodeLibraries.flatMap((name) => {
      const version = versions[name]
      return version === undefined ? [] : [library(name, version)]
    }),
  } as Component
}

/** An id of the SPDX list, an expression of several, or words. */
function licensesOf(license: string): readonly object[] {
  if (/ (?:OR|AND|WITH) /.test(license)) return [{ expression: license }]
  return [{ license: /^[\w.+-]+$/.test(license) ? { id: license } : { name: license } }]
}

/** `sha512-<base64>` of the lock file. */
function hashOf(integrity: string): object {
  const [algorithm = '', text = ''] = integrity.split('-')
  const alg = algorithm.toUpperCase().replace('SHA', 'SHA-')
  return { alg, content: Buffer.from(text, 'base64').toString('hex') }
}

/** The hashes of the lock file by `name@version`. */
function readHashes(): ReadonlyMap<string, string> {
  const file = join(import.meta.dirname, '../package-lock.json')
  const { packages } = lockSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
  return new Map(
    Object.entries(packages).flatMap(([path, { version, integrity }]) =>
      integrity === undefined
        ? []
        : [[`${path.split('node_modules/').at(-1)}@${version}`, integrity] as const],
    ),
  )
}

/** A UUID made of the content (RFC 9562, version 8). */
function serialOf(content: object): string {
  const hex = createHash('sha256').update(JSON.stringify(content)).digest('hex')
  const parts = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `a${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ]
  return `urn:uuid:${parts.join('-')}`
}
