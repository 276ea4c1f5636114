/** A release of relays depends on its source alone, and says what is in it. */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { basename, join } from 'node:path'
import { packagesIn } from '@porttunneler/packaging/sbom'
import { faultsOf } from '@porttunneler/packaging/testing/sbom-faults'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { root } from './harness/programs.ts'
import { temporaryFolder } from './harness/standalone.ts'

const folder = temporaryFolder('release')
const parts = [
  'relay-vm',
  'shared',
  'packaging',
  'standalone',
  'LICENSE',
  'package.json',
  'package-lock.json',
]
let lists: readonly string[]

/** The sources in another folder, with the same packages. */
function copySources(to: string): void {
  const isSource = (path: string) => !['node_modules', 'dist'].includes(basename(path))
  for (const name of parts) cpSync(join(root, name), join(to, name), { recursive: true, filter: isSource })
  mkdirSync(join(to, 'node_modules/@porttunneler'), { recursive: true })
  for (const name of readdirSync(join(root, 'node_modules')))
    if (name !== '@porttunneler')
      symlinkSync(join(root, 'node_modules', name), join(to, 'node_modules', name))
  for (const name of parts.slice(0, 4))
    symlinkSync(join(to, name), join(to, 'node_modules/@porttunneler', name))
}

beforeAll(() => {
  const elsewhere = join(folder, 'another/place')
  mkdirSync(elsewhere, { recursive: true })
  copySources(elsewhere)
  lists = [root, elsewhere].map((place, index) => {
    const out = join(folder, `out-${index}`)
    const script = join(place, 'relay-vm/archive.ts')
    // Another umask and another time zone change nothing.
    const command = `umask ${index === 0 ? '022' : '077'}; exec "$0" "$@"`
    const env = { ...process.env, TZ: index === 0 ? 'UTC' : 'Asia/Tokyo' }
    execFileSync('sh', ['-c', command, process.execPath, script, '--without-node', '--out', out], { env })
    return readFileSync(join(out, 'SHA256SUMS'), 'utf8')
  })
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('two folders, users and days give the same bytes', () => {
  expect(lists[0]).toMatch(/^# porttunneler \d+\.\d+\.\d+\n[0-9a-f]{64} {2}relay-vm\.tar\.gz\n$/)
  expect(lists[1]).toBe(lists[0])
})

test('the bill of the console has what a browser gets, its styles included, and each has its notice beside the pages', async () => {
  const sbom = readFileSync(join(root, 'web/sbom.cdx.json'), 'utf8')
  expect(await faultsOf(sbom)).toBeNull()
  const notices = readFileSync(join(root, 'web/dist/third-party.txt'), 'utf8')
  const inside = packagesIn(sbom)
  for (const { name, version } of inside) expect(notices).toContain(`${name} ${version}\n`)
  const names = inside.map(({ name }) => name)
  expect(names).toEqual(expect.arrayContaining(['preact', 'uplot', '@firebase/auth', 'tailwindcss']))
})

test('the archive holds the programs, notices and the bill of materials with all packages inside, and no folder of the build', async () => {
  const unpacked = join(folder, 'unpacked')
  mkdirSync(unpacked)
  execFileSync('tar', ['-xf', join(folder, 'out-0/relay-vm.tar.gz'), '-C', unpacked])
  const names = readdirSync(unpacked)
  expect(names.filter((name) => !/\.cjs$/.test(name)).sort()).toEqual([
    'LICENSE',
    'nftables.conf',
    'porttunneler-relay@.service',
    'sbom.cdx.json',
    'third-party.txt',
  ])
  const read = (name: string) => readFileSync(join(unpacked, name), 'utf8')
  expect(await faultsOf(read('sbom.cdx.json'))).toBeNull()
  const { components } = JSON.parse(read('sbom.cdx.json'))
  const purls = components.map(({ purl }: { purl: string }) => purl)
  for (const name of ['zod', 'pino', 'prom-client', '%40google-cloud/pubsub', '%40grpc/grpc-js'])
    expect(purls.some((purl: string) => purl.startsWith(`pkg:npm/${name}@`))).toBe(true)
  const notices = [...read('third-party.txt').matchAll(/^(\S+) (\d+\.\d+\.\d+\S*)$/gm)]
  for (const { group, name, version } of components.slice(1)) {
    const whole = group === undefined ? name : `${group}/${name}`
    expect(
      notices.some(([, named, its]) => named === whole && its === version),
      whole,
    ).toBe(true)
  }
  for (const name of names) expect(read(name).includes(root), name).toBe(false)
})
