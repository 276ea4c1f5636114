/** A release of relays as the bucket has it: archives, their list, and its signature by a key made for the test. */
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, sign } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { releaseList, sha256Of } from '@porttunneler/relay-vm/deploy/release-list'
import { root } from '../harness/programs.ts'

const version = '0.1.0'

/**
 * Makes them in `folder`.
 * @param urlOf the address below which VMs fetch them, by the hash of their list
 * @returns the metadata of those VMs
 */
export function makeRelease(
  folder: string,
  urlOf: (listSha256: string) => string,
): Readonly<Record<string, string>> {
  const options = ['--without-node', '--out', folder]
  execFileSync('npm', ['run', '--silent', 'archive', '-w', 'relay-vm', '--', ...options], { cwd: root })
  const [relay, node] = ['relay-vm.tar.gz', 'node-test.tar']
  // Not compressed: that takes longer than all the rest of the test.
  const runtime = dirname(dirname(process.execPath))
  execFileSync('tar', ['-cf', join(folder, node), '--transform', 's,^,node/,', '-C', runtime, 'bin/node'])
  const archives = [relay, node].map((name) => ({ name, bytes: readFileSync(join(folder, name)) }))
  const list = releaseList(version, archives)
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  writeFileSync(join(folder, 'SHA256SUMS'), list)
  writeFileSync(join(folder, 'SHA256SUMS.sig'), sign(null, Buffer.from(list), privateKey))
  const [relaySha256 = '', nodeSha256 = ''] = archives.map(({ bytes }) => sha256Of(bytes))
  const url = urlOf(sha256Of(Buffer.from(list)))
  return {
    'ptun-bundle-url': `${url}/${relay}`,
    'ptun-bundle-sha256': relaySha256,
    'ptun-node-url': `${url}/${node}`,
    'ptun-node-sha256': nodeSha256,
    'ptun-release-url': `${url}/SHA256SUMS`,
    'ptun-release-keys': publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
    'ptun-oldest-release': version,
  }
}
