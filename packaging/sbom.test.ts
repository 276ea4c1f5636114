/** A bill of materials is what CycloneDX's own schema takes, and the same for the same content. */
import { expect, test } from 'vitest'
import { packagesIn, sbomOf } from './sbom.ts'
import { faultsOf } from './testing/sbom-faults.ts'

const own = { name: 'porttunneler-relay', version: '0.1.0' }
const packages = [
  { name: '@hono/zod-openapi', version: '1.6.3', license: 'MIT' },
  { name: 'node-forge', version: '1.0.0', license: '(BSD-3-Clause OR GPL-2.0)' },
  { name: 'odd', version: '1.0.0', license: 'SEE LICENSE IN x.txt' },
  { name: 'silent', version: '1.0.0' },
  { name: 'zod', version: '4.6.7', license: 'MIT' },
]

test('it holds against the schema of CycloneDX 1.6, which refuses a component without a name', async () => {
  const text = sbomOf(own, packages, process.versions)
  expect(await faultsOf(text)).toBeNull()
  expect(await faultsOf(text.replace('"name": "zod"', '"title": "zod"'))).not.toBeNull()
})

test('it has the hashes of the lock file, and Node with the libraries inside it', () => {
  const { components } = JSON.parse(sbomOf(own, packages, process.versions))
  const zod = components.find(({ purl }: { purl: string }) => purl === 'pkg:npm/zod@4.6.7')
  expect(zod.hashes).toEqual([{ alg: 'SHA-512', content: expect.stringMatching(/^[0-9a-f]{128}$/) }])
  expect(components[0]).toMatchObject({ type: 'platform', name: 'node', version: process.versions.node })
  const inside = components[0].components.map(({ name }: { name: string }) => name)
  expect(inside).toEqual(expect.arrayContaining(['openssl', 'v8', 'zlib']))
  expect(components.map(({ purl }: { purl: string }) => purl)).toContain('pkg:npm/%40hono/zod-openapi@1.6.3')
})

test('the same content has the same text, and other content another number', () => {
  const text = sbomOf(own, packages, process.versions)
  expect(sbomOf(own, [...packages, ...packages].reverse(), process.versions)).toBe(text)
  const serial = (bom: string) => JSON.parse(bom).serialNumber
  expect(serial(sbomOf(own, packages.slice(1), process.versions))).not.toBe(serial(text))
})

test('where nothing of Node comes along, the packages can be read back, to become a part of something larger', async () => {
  const text = sbomOf(own, packages)
  expect(await faultsOf(text)).toBeNull()
  expect(packagesIn(text)).toEqual(packages)
})
