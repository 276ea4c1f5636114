/** The stack and the programs name the same things, and each fails here when it stands alone. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { deployments } from '../functions/deployment.ts'
import { expiring, unindexed } from '../functions/firestore-indexes.ts'
import { deadLetters, subscriptionName, topicName } from '../functions/platform/pubsub-names.ts'
import { readSettings } from '../functions/settings.ts'
import { topics } from '../shared/control/names.ts'
import { queryTable } from '../shared/control/query-table.ts'
import { alerts, logAlerts, silence } from './alerts.ts'
import { functionVariables } from './function-variables.ts'
import { kmsKeyPath, slotsOf, vmsOf } from './names.ts'
import { Workbench } from './offline/workbench.ts'
import { readEnvironment } from './read-environment.ts'
import { relayMetadata, unusedKeys } from './relay-metadata.ts'
import { secrets } from './secrets.ts'
import { services } from './stacks/project.ts'
import { part, parts, stacksOf } from './testing/policy.ts'

const environment = readEnvironment('prod')
using bench = new Workbench(environment)
const stacks = stacksOf(bench.names.map((name) => bench.read(name)))
const control = stacksOf([bench.read('control')])
const read = (path: string) => readFileSync(join(import.meta.dirname, '..', path), 'utf8')
const all = (type: string) => stacks.of(type).map(([, settings]) => settings)
const named = (type: string) => all(type).map(({ name }) => name)
const vms = environment.cells.flatMap(vmsOf)

test('functions: those that the bundle has, by its entry points, in the sizes of deployment.ts', () => {
  const functions = all('google_cloudfunctions2_function')
  expect(functions.map(({ name }) => name).sort()).toEqual(Object.keys(deployments).sort())
  for (const made of functions) {
    const deployment = deployments[String(made.name)]
    expect(part(made, 'build_config').entry_point).toBe(made.name)
    expect(part(made, 'service_config')).toMatchObject({
      available_memory: `${deployment?.memoryMiB}Mi`,
      max_instance_request_concurrency: deployment?.concurrency,
      min_instance_count: deployment?.minInstances,
      max_instance_count: deployment?.maxInstances,
      timeout_seconds: deployment?.timeoutSeconds,
    })
  }
})

test('hosting: firebase.json passes requests to services that exist', () => {
  const services = [...read('firebase.json').matchAll(/"serviceId": "(\w+)"/g)].map(([, name]) => name)
  const made = Object.keys(deployments).map((name) => name.toLowerCase())
  expect(services.filter((name) => !made.includes(name ?? ''))).toEqual([])
})

test.each(Object.keys(deployments))('%s: starts with the variables that the stack gives it', (name) => {
  const [made = {}] = all('google_cloudfunctions2_function').filter((one) => one.name === name)
  const variables = part(part(made, 'service_config'), 'environment_variables') as Record<string, string>
  const secret = parts(part(made, 'service_config'), 'secret_environment_variables').map(({ key }) =>
    String(key),
  )
  const values: Record<string, string> = {
    STRIPE_KEY: 'sk_live_x',
    STRIPE_WEBHOOK_SECRET: 'whsec_x',
    STRIPE_EVENTS_SECRET: 'none',
    PORTTUNNELER_CLOUDFLARE_TOKEN: 'x'.repeat(40),
    PORTTUNNELER_MAIL_SMTP: 'smtps://user:x@mail.example.com',
  }
  const settings = readSettings({
    ...variables,
    ...Object.fromEntries(secret.map((key) => [key, values[key]])),
  })
  expect(settings).toMatchObject({
    kmsKey: kmsKeyPath(environment),
    environment: { projectId: environment.project },
  })
  expect(settings.relayGroups.map(({ path }) => path)).toEqual(
    vms.map(({ zone, name: vm }) => `zones/${zone}/instanceGroupManagers/${vm}`),
  )
  expect(settings.acme?.email).toBe(environment.acmeEmail)
  expect(settings.stripeSecrets).toHaveLength(name === 'stripeWebhook' ? 1 : 0)
  expect(settings.stripeKey !== undefined).toBe(['api', 'onJobs', 'onSchedule'].includes(name))
  expect(settings.mail !== undefined).toBe(['onJobs', 'onSchedule'].includes(name))
  expect(settings.cloudflareToken !== undefined).toBe(['onJobs', 'onSchedule'].includes(name))
})

/** They stay at their defaults, or are for a laptop. */
const leftOut = [
  'FIREBASE_AUTH_DOMAIN',
  'FIREBASE_ISSUERS',
  'FIREBASE_PROVIDERS',
  'PORTTUNNELER_ACME_ISSUERS',
  'PORTTUNNELER_EMULATED_GOOGLE',
  'PORTTUNNELER_EMULATED_STRIPE',
  'PORTTUNNELER_HEARTBEAT',
  'PORTTUNNELER_RESOLVERS',
  'PORTTUNNELER_TERMS',
  'PORTTUNNELER_TRUSTED_PROXIES',
  'PORTTUNNELER_TRUST_RESOLVERS',
]

/** The SDKs read these, not our settings. */
const ofSdks = ['GOOGLE_CLOUD_PROJECT', 'METADATA_SERVER_DETECTION']

/** Names what is missing, and what nobody reads. */
function differences(given: readonly string[], wanted: readonly string[]): readonly string[] {
  return [
    ...wanted.filter((name) => !given.includes(name)),
    ...given.filter((name) => !wanted.includes(name)),
  ]
}

/** Each dropped or misspelt name shows, and none shows otherwise. */
function expectEachToShow(given: readonly string[], wanted: readonly string[]): void {
  expect(differences(given, wanted)).toEqual([])
  for (const name of given) {
    const others = given.filter((other) => other !== name)
    expect(differences(others, wanted)).toEqual([name])
    expect(differences([...others, `${name}x`], wanted)).toEqual([name, `${name}x`])
  }
}

test('variables: all that functions read but those left out, and no other; each that is dropped shows', () => {
  const known = [...read('functions/settings.ts').matchAll(/^ {2}([A-Z][A-Z_]+): /gm)].map(
    ([, name = '']) => name,
  )
  expect(leftOut.filter((name) => !known.includes(name))).toEqual([])
  const wanted = [...known.filter((name) => !leftOut.includes(name)), ...ofSdks]
  expectEachToShow([...Object.keys(functionVariables(environment)), ...Object.keys(secrets)], wanted)
})

test('secrets: those of docs/cloud-resources.md, each with the functions that read it', () => {
  const rows = [...read('docs/cloud-resources.md').matchAll(/^\| `([a-z-]+)` \| `([A-Z_]+)` \| (`.*`) \|$/gm)]
  const documented = rows.map(([, id, key, readers]) => ({ id, key, readers: readers?.replaceAll('`', '') }))
  const made = Object.entries(secrets).map(([key, { id, readers }]) => ({
    id,
    key,
    readers: readers.join(', '),
  }))
  expect(documented).toEqual(made)
  expect(named('google_secret_manager_secret')).toHaveLength(made.length)
})

test('roles: those of the tables in docs/cloud.md and docs/cloud-resources.md, and those of a build', () => {
  const pages = `${read('docs/cloud.md')}${read('docs/cloud-resources.md')}`
  const documented = new Set([...pages.matchAll(/`(roles\/[\w.]+)`/g)].map(([, role]) => role))
  const types = [
    'google_project_iam_member',
    'google_pubsub_topic_iam_member',
    'google_kms_crypto_key_iam_member',
  ]
  const more = ['google_pubsub_subscription_iam_member', 'google_secret_manager_secret_iam_member']
  const granted = [...types, ...more, 'google_cloud_run_v2_service_iam_member']
    .flatMap((type) => control.of(type))
    .filter(([name]) => !name.startsWith('accounts_fn-build'))
    .map(([, { role }]) => String(role))
    .filter((role) => role.startsWith('roles/'))
  expect([...new Set(granted)].filter((role) => !documented.has(role))).toEqual([])
  expect([...documented].filter((role) => !granted.includes(String(role)))).toEqual([])
})

test('topics and subscriptions: those of the code, one subscription for each relay of each VM', () => {
  const expected = [
    topics.events,
    topics.jobs,
    deadLetters.topic,
    ...environment.cells.map(({ id }) => topics.commands(id)),
  ]
  expect(named('google_pubsub_topic').sort()).toEqual(expected.map(topicName).sort())
  const slots = vms.flatMap((vm) =>
    slotsOf(vm).map((slot) => subscriptionName(topics.commands(vm.cell.id), slot)),
  )
  expect(named('google_pubsub_subscription').sort()).toEqual(
    [...slots, subscriptionName(deadLetters.topic, deadLetters.key)].sort(),
  )
  expect(slots).toEqual(
    vms.flatMap((vm) => relayMetadata(environment, vm)['ptun-subscriptions']?.split(' ') ?? []),
  )
})

test('metadata: the keys that start-up.sh reads, each in the form that it wants; each that is dropped shows', () => {
  const script = read('relay-vm/deploy/start-up.sh')
  const patterns = Object.fromEntries(
    [...script.matchAll(/^readonly (\w+_pattern)='(.*)'$/gm)].map(([, name = '', pattern = '']) => [
      name,
      pattern,
    ]),
  )
  const wanted = new Map(
    [...script.matchAll(/attribute (ptun-[a-z0-9-]+) ('[^']*'|"[^"]*")/g)].map(
      ([, key = '', quoted = '']) => [
        key,
        quoted.slice(1, -1).replaceAll(/\$(\w+)/g, (_, name: string) => patterns[name] ?? ''),
      ],
    ),
  )
  for (const vm of vms) {
    const metadata = relayMetadata(environment, vm)
    const keys = Object.keys(metadata).filter((key) => key.startsWith('ptun-'))
    expectEachToShow([...keys, ...unusedKeys], [...wanted.keys()])
    for (const key of keys) expect(metadata[key]).toMatch(new RegExp(`^(${wanted.get(key)})$`))
  }
})

test('Firestore: every declared query has its index, every expiring collection its policy, and no field two', () => {
  const fields = all('google_firestore_field')
  expect(fields.filter(({ ttl_config }) => ttl_config).map(({ collection }) => collection)).toEqual(expiring)
  expect(fields).toHaveLength(expiring.length + unindexed.length)
  const indexes = all('google_firestore_index').map(
    (index) => `${index.collection}: ${parts(index, 'fields').map(({ field_path }) => field_path)}`,
  )
  const needed = queryTable
    .filter(({ equals }) => equals.length > 0)
    .map(({ collection, equals, order }) => `${collection}: ${[...equals, order]}`)
  expect(indexes.sort()).toEqual([...new Set(needed)].sort())
})

test('APIs: those that docs/cloud-resources.md lists', () => {
  const [, list = ''] = /^APIs: ([\s\S]*?)\.$/m.exec(read('docs/cloud-resources.md')) ?? []
  expect(list.split(/,\s+/).sort()).toEqual([...services])
})

test('alerts: each leads to a heading that exists', () => {
  const pages = [...alerts(environment.project, 'x'), ...logAlerts, silence].map(({ page }) => page)
  for (const page of pages) {
    const [file = '', heading] = page.split('#')
    const headings = [...read(file).matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll(/[^a-z0-9 -]/g, '')
        .replaceAll(' ', '-'),
    )
    expect(headings).toContain(heading)
  }
})
