/** docs/cloud-resources.md names exactly what the code uses. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { topics } from '@porttunneler/shared/control/names'
import { expect, test } from 'vitest'
import { deployments } from './deployment.ts'
import { expiring } from './firestore-indexes.ts'
import { deadLetters } from './platform/pubsub-names.ts'

const root = join(import.meta.dirname, '..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const page = read('docs/cloud-resources.md')
const section = (title: string) => page.split(/^##+ /m).find((text) => text.startsWith(`${title}\n`)) ?? ''
const named = (text: string, pattern: RegExp) =>
  [...new Set([...text.matchAll(pattern)].map(([, name = '']) => name))].sort()

test('functions: the table matches functions/deployment.ts, for every function', () => {
  const rows = Object.entries(deployments).map(([name, one]) => {
    const instances = `${one.minInstances}-${one.maxInstances}`
    const sizes = [one.memoryMiB, one.cpu, one.concurrency, instances, one.timeoutSeconds]
    return `| ${[`\`${name}\``, one.trigger, ...sizes, one.retry ? 'yes' : 'no'].join(' | ')} |`
  })
  expect(
    section('Functions')
      .split('\n')
      .filter((line) => line.startsWith('| `')),
  ).toEqual(rows)
  expect(named(read('functions/main.ts'), /^ {2}\['(\w+)', async/gm)).toEqual(Object.keys(deployments).sort())
})

test('keys: a function uses the KMS key exactly if docs/cloud.md gives its account the right', () => {
  const granted = read('docs/cloud.md')
    .split('\n')
    .filter((line) => line.startsWith('|') && line.includes('cryptoKeyEncrypterDecrypter'))
    .flatMap((line) => named(line.split('|')[1] ?? '', /`(\w+)`/g))
  const signing = Object.entries(deployments).filter(([, { signs }]) => signs)
  expect(signing.map(([name]) => name)).toEqual(granted.sort())
})

test('environment: every variable that the functions read, and no other', () => {
  const settings = named(read('functions/settings.ts'), /^ {2}([A-Z][A-Z_]+): /gm)
  expect(named(section('Environment'), /`([A-Z][A-Z_]+)`/g)).toEqual(
    [...settings, 'GOOGLE_CLOUD_PROJECT'].sort(),
  )
})

test('collections: every one that the control plane writes in the cloud', () => {
  const files = globSync('shared/control/**/*.ts', { cwd: root }).filter((path) => !path.endsWith('.test.ts'))
  const written = named(files.map(read).join('\n'), /ollection<[^>]*>+\('(\w+)'\)/g)
  const [, list = ''] = /Collections are made by writes:(.*?)\. A cell/s.exec(section('Firestore')) ?? []
  expect(named(list, /`(\w+)`/g)).toEqual(written)
})

test('expiry: every collection with a TTL policy is named', () => {
  const [, list = ''] = /Documents of these expire,(.*?)Google deletes/s.exec(section('Firestore')) ?? []
  expect(named(list, /`([a-z]\w+)`/g).filter((name) => name !== 'ttl')).toEqual([...expiring].sort())
})

test('topics and subscriptions: as the code names them', () => {
  const used = [topics.commands('<cell>'), topics.events, topics.jobs, deadLetters.topic].map(
    (name) => `ptun.${name}`,
  )
  const [first = '', second = ''] = section('Pub/Sub').split('| subscription |')
  expect(named(first, /^\| `(ptun[^`]*)`/gm)).toEqual(used.sort())
  expect(named(second, /^\| `(ptun[^`]*)`/gm)).toEqual([
    `ptun.${topics.commands('<cell>')}.<slot>`,
    `ptun.${deadLetters.topic}.${deadLetters.key}`,
  ])
})

test('metadata: every key that start-up.sh reads, here and in docs/relay.md', () => {
  const keys = named(read('relay-vm/deploy/start-up.sh'), /attribute (ptun-[a-z0-9-]+)/g)
  expect(named(section('Relay VMs').split('Metadata, explained')[1] ?? '', /`(ptun-[a-z0-9-]+)`/g)).toEqual(
    keys,
  )
  expect(named(read('docs/relay.md'), /`(ptun-[a-z0-9-]+)`/g)).toEqual(expect.arrayContaining(keys))
})
