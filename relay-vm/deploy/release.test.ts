/** Which releases start-up.sh believes: its own functions, with a folder in place of the web server. */
import { execFileSync, spawnSync } from 'node:child_process'
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { releaseList, sha256Of } from './release-list.ts'

const startUp = join(import.meta.dirname, 'start-up.sh')
const [first, second, stranger] = [1, 2, 3].map(() => generateKeyPairSync('ed25519'))
const relay = { name: 'relay-vm.tar.gz', bytes: Buffer.from('the relay') }
const node = { name: 'node-24.0.0-linux-x64.tar.gz', bytes: Buffer.from('Node') }
const hasOpenssl = spawnSync('openssl', ['version']).status === 0

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pt-release-'))
  mkdirSync(join(folder, 'home'))
  mkdirSync(join(folder, 'web'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function publish(version: string, key: KeyObject | undefined, archives = [relay, node]): void {
  const list = join(folder, 'web/SHA256SUMS')
  writeFileSync(list, releaseList(version, archives))
  const signature = key && sign(null, Buffer.from(releaseList(version, archives)), key)
  writeFileSync(`${list}.sig`, signature ?? '')
}

function spki(key: KeyObject | undefined): string {
  return key?.export({ type: 'spki', format: 'der' }).toString('base64') ?? ''
}

type Pinned = {
  readonly keys?: readonly (KeyObject | undefined)[]
  readonly oldest?: string
  readonly bundle?: string
}

/** What the script says when it refuses, or '' when it goes on. */
function check({ keys = [first?.publicKey], oldest = '0.1.0', bundle = sha256Of(relay.bytes) }: Pinned = {}) {
  const script = `
    set -euo pipefail
    source <(sed -e '$d' -e "s,^readonly home=.*,readonly home='$folder/home'," "$startUp")
    download() { cp "$folder/web/\${1##*/}" "$2"; }
    release_url=https://archives.example.com/SHA256SUMS
    node_sha256=${sha256Of(node.bytes)}
    check_release`
  const env = {
    ...process.env,
    ...{
      folder,
      startUp,
      bundle_sha256: bundle,
      oldest_release: oldest,
      release_keys: keys.map(spki).join(' '),
    },
  }
  const { status, stderr } = spawnSync('bash', ['-c', script], { env, encoding: 'utf8' })
  expect(status).toBe(stderr === '' ? 0 : 1)
  return stderr.trim()
}

const unsigned = 'porttunneler: The release is not signed by a key of ptun-release-keys'

describe.skipIf(!hasOpenssl)('a release', () => {
  test('that a key of ours has signed is taken, and kept for the next boot without the server', () => {
    publish('0.2.0', first?.privateKey)
    expect(check()).toBe('')
    rmSync(join(folder, 'web'), { recursive: true })
    expect(check()).toBe('')
  })

  test('is signed by the openssl of the documents as well', () => {
    publish('0.2.0', undefined)
    const pem = join(folder, 'release.pem')
    writeFileSync(pem, first?.privateKey.export({ type: 'pkcs8', format: 'pem' }) ?? '')
    const list = join(folder, 'web/SHA256SUMS')
    execFileSync('openssl', ['pkeyutl', '-sign', '-rawin', '-inkey', pem, '-in', list, '-out', `${list}.sig`])
    expect(check()).toBe('')
  })

  test('of a stranger, without a signature, cut, or with a line that was added, is refused', () => {
    publish('0.2.0', stranger?.privateKey)
    expect(check()).toBe(unsigned)
    publish('0.2.0', undefined)
    expect(check()).toBe('porttunneler: The release has no list with a signature')
    publish('0.2.0', first?.privateKey)
    truncateSync(join(folder, 'web/SHA256SUMS.sig'), 63)
    expect(check()).toBe(unsigned)
    publish('0.2.0', first?.privateKey)
    truncateSync(join(folder, 'web/SHA256SUMS'), 100)
    expect(check()).toBe(unsigned)
    publish('0.2.0', first?.privateKey)
    writeFileSync(join(folder, 'web/SHA256SUMS'), `${'0'.repeat(64)}  relay-vm.tar.gz\n`, { flag: 'a' })
    expect(check()).toBe(unsigned)
    expect(existsSync(join(folder, 'home/release'))).toBe(false)
  })

  test('is taken by either of two keys while one follows the other, and by the old one no longer after that', () => {
    publish('0.2.0', first?.privateKey)
    expect(check({ keys: [second?.publicKey, first?.publicKey] })).toBe('')
    expect(check({ keys: [second?.publicKey] })).toBe(unsigned)
    publish('0.2.0', second?.privateKey)
    expect(check({ keys: [second?.publicKey] })).toBe('')
  })

  test('before the present one is taken, down to the oldest that may run: a replay is a roll back or is refused', () => {
    publish('0.10.0', first?.privateKey)
    expect(check({ oldest: '0.9.0' })).toBe('')
    const before = { name: relay.name, bytes: Buffer.from('the relay before') }
    publish('0.9.1', first?.privateKey, [before, node])
    expect(check({ oldest: '0.9.0', bundle: sha256Of(before.bytes) })).toBe('')
    expect(check({ oldest: '0.10.0', bundle: sha256Of(before.bytes) })).toBe(
      'porttunneler: The release 0.9.1 is older than 0.10.0, the oldest that may run',
    )
  })

  test('that does not name the archives of the metadata is refused', () => {
    publish('0.2.0', first?.privateKey)
    expect(check({ bundle: '0'.repeat(64) })).toContain('0.2.0 has no relay-vm.tar.gz with the SHA-256')
    // The hash is in the list, but is another file's.
    expect(check({ bundle: sha256Of(node.bytes) })).toContain('0.2.0 has no relay-vm.tar.gz with the SHA-256')
    publish('0.2.0', first?.privateKey, [relay])
    expect(check()).toContain('0.2.0 has no archive of Node with the SHA-256')
  })
})
