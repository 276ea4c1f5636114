/** Tests that a release's archives take the place of those that the file of the environment names. */
import { expect, test } from 'vitest'
import { vmsOf } from './names.ts'
import { readEnvironment, withDeployed } from './read-environment.ts'
import { relayMetadata } from './relay-metadata.ts'

const [relay, node, functions] = ['a', 'b', 'c'].map((letter) => letter.repeat(64)) as [
  string,
  string,
  string,
]
const list = `# porttunneler 1.2.3\n${relay}  relay-vm.tar.gz\n${node}  node-24.21.0-linux-x64.tar.gz\n`
const prod = readEnvironment('prod')

test('VMs fetch both archives and their list from the folder of the release', () => {
  const deployed = withDeployed(prod, { functions, relays: list })
  const [vm] = deployed.cells.flatMap(vmsOf)
  if (!vm) throw new Error('no VM')
  const metadata = relayMetadata(deployed, vm)
  const folder = metadata['ptun-release-url']?.replace(/SHA256SUMS$/, '') ?? ''
  expect(folder).toMatch(
    /^https:\/\/storage\.googleapis\.com\/porttunneler-prod-archives\/relays-[0-9a-f]{64}\/$/,
  )
  expect(metadata).toMatchObject({
    'ptun-bundle-url': `${folder}relay-vm.tar.gz`,
    'ptun-bundle-sha256': relay,
    'ptun-node-url': `${folder}node-24.21.0-linux-x64.tar.gz`,
    'ptun-node-sha256': node,
  })
  expect(deployed.functionsArchiveSha256).toBe(functions)
  expect(deployed.release.keys).toEqual(prod.release.keys)
})

test('another list is another folder, so the release before stays where it is', () => {
  const urlOf = (relays: string) => withDeployed(prod, { functions, relays }).release.url
  expect(urlOf(list)).not.toBe(urlOf(list.replace(relay, functions)))
})

test.each(['relay-vm.tar.gz', 'node-24.21.0-linux-x64.tar.gz'])('a list without %s is refused', (name) => {
  expect(() => withDeployed(prod, { functions, relays: list.replace(name, 'other') })).toThrow(
    'has none like',
  )
})
