/** A wrong installation is refused before anything is synthesised, with the place of the fault. */
import { expect, test } from 'vitest'
import relay from '../relay-vm/package.json' with { type: 'json' }
import { environmentSchema } from './environment.ts'
import { prod } from './environments/prod.ts'
import { readEnvironment } from './read-environment.ts'

const [cell] = prod.cells
const issuer = { id: 'work', name: 'Example Ltd', issuer: 'https://login.example.com', clientId: 'tunnels' }
const withIssuers = (...changes: readonly object[]) => ({
  ...prod,
  signInIssuers: changes.map((change) => ({ ...issuer, ...change })),
})
const withCell = (change: object) => ({ ...prod, cells: [{ ...cell, ...change }] })

test.each(['dev', 'staging', 'prod'])('%s is right', (name) => {
  expect(readEnvironment(name).name).toBe(name)
})

test.each(['dev', 'staging', 'prod'])(
  '%s names the archives of this version, in its own bucket, until a release does',
  (name) => {
    const { project, relayArchive, nodeArchive, release, functionsArchiveSha256 } = readEnvironment(name)
    const folder = `https://storage.googleapis.com/${project}-archives/${relay.version}/`
    for (const { url, sha256 } of [relayArchive, nodeArchive]) {
      expect(url).toContain(folder)
      expect(sha256).toMatch(/^0{64}$/)
    }
    expect(release.url).toBe(`${folder}SHA256SUMS`)
    expect(functionsArchiveSha256).toMatch(/^0{64}$/)
  },
)

test('an environment that does not exist is named, with those that do', () => {
  expect(() => readEnvironment('production')).toThrow('No environment production: dev, staging, prod')
})

test.each<[fault: string, place: string, input: object]>([
  ['a project of emulators', 'project', { ...prod, project: 'demo-ptun' }],
  ['a project with capitals', 'project', { ...prod, project: 'PortTunneler' }],
  ['no project number', 'projectNumber', { ...prod, projectNumber: '' }],
  [
    'the console below the domain of tunnels',
    'must not be below',
    { ...prod, consoleHost: `www.${prod.relayDomain}` },
  ],
  ['the console at the domain of tunnels', 'must not be below', { ...prod, consoleHost: prod.relayDomain }],
  ['a host with a path', 'consoleHost', { ...prod, consoleHost: 'a.example.com/x' }],
  [
    'a host with an expression of Terraform',
    'consoleHost',
    { ...prod, consoleHost: `$\{var.x}.example.com` },
  ],
  ['a zone by its name', 'consoleZoneId', { ...prod, consoleZoneId: 'example.com' }],
  ['no cell', 'cells', { ...prod, cells: [] }],
  ['a sign-in service without TLS', 'signInIssuers', withIssuers({ issuer: 'http://login.example.com' })],
  ['a sign-in service with a name of Firebase', 'signInIssuers', withIssuers({ id: 'oidc.work' })],
  ['a secret of a sign-in service', 'signInIssuers', withIssuers({ clientSecret: 'x' })],
  ['two sign-in services of one id', 'two services', withIssuers({}, {})],
  ['a document without an address', 'terms', { ...prod, terms: [{ kind: 'terms', version: '1' }] }],
  ['two cells of one id', 'two cells', { ...prod, cells: [cell, cell] }],
  ['a cell elsewhere', 'its host is not below', withCell({ host: 'eu.example.com' })],
  ['a cell whose id is too long for accounts', 'cells', withCell({ id: 'a'.repeat(17) })],
  ['a zone of another region', 'zone of another region', withCell({ zones: ['us-east1-b'] })],
  ['a zone twice', 'a zone twice', withCell({ zones: ['europe-west1-b', 'europe-west1-b'] })],
  [
    'more relays than a release can pass',
    'more than 8',
    withCell({ zones: ['europe-west1-b', 'europe-west1-c', 'europe-west1-d'], relays: 4 }),
  ],
  ['ports the wrong way round', 'the last port is before', withCell({ tcpPorts: { first: 2, last: 1 } })],
  ['port 0', 'cells', withCell({ tcpPorts: { first: 0, last: 1 } })],
  [
    'an image that changes by itself',
    'image',
    { ...prod, image: 'projects/debian-cloud/global/images/family/debian-12' },
  ],
  [
    'an archive without TLS',
    'relayArchive',
    { ...prod, relayArchive: { ...prod.relayArchive, url: 'http://a.example.com/r' } },
  ],
  ['half a hash', 'nodeArchive', { ...prod, nodeArchive: { ...prod.nodeArchive, sha256: 'abc' } }],
  ['a release that nobody signs', 'release', { ...prod, release: { ...prod.release, keys: [] } }],
  [
    'a key of releases of another kind',
    'release',
    { ...prod, release: { ...prod.release, keys: ['MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE'] } },
  ],
  ['a key of a server', 'firebaseApiKey', { ...prod, firebaseApiKey: 'AIza' }],
  ['a repository that would end the condition', 'repository', { ...prod, repository: "a/b' || true || '" }],
  ['a setting that does not exist', 'budget', { ...prod, budget: 1 }],
  ['a free budget', 'budgetDollars', { ...prod, budgetDollars: 0 }],
])('%s is refused', (_, place, input) => {
  const { error } = environmentSchema.safeParse(input)
  expect(JSON.stringify(error?.issues)).toContain(place)
})
