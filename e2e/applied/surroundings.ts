/**
 * Everything outside the relay VM, in a network namespace: Google, Cloudflare, the DNS, the way from topics and the
 * scheduler to functions, and an agent's upstream. It has what the applied stack says, and nothing else.
 * `node surroundings.ts <folder>` prints what happens as JSON lines.
 */
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { connect, createServer as createNetServer } from 'node:net'
import { join } from 'node:path'
import { systemClock } from '@porttunneler/shared/base/clock'
import { Pull } from '@porttunneler/shared/base/pull'
import { openCloudflareServer } from '@porttunneler/shared/testing/cloudflare-server'
import { openPubsubClients, type PubsubClients } from '../../functions/platform/pubsub-clients.ts'
import { startGoogleCloud } from '../../functions/testing/google-cloud.ts'
import { type GoogleIssuer, startGoogleIssuer } from '../../functions/testing/google-issuer.ts'
import { makeGrpcFront } from './grpc-front.ts'
import { metadataServer } from './metadata.ts'
import { serveNames, zoneOf } from './names.ts'
import {
  type Applied,
  authoritiesOf,
  type DeployedFunction,
  databasesOf,
  functionsOf,
  keysOf,
  readApplied,
  recordsOf,
  scheduledCall,
  subscriptionsOf,
  topicsOf,
  vmsOf,
} from './state.ts'
import { makeWeb, passTo } from './web.ts'
import {
  addresses,
  type CloudEvent,
  emulators,
  files,
  machine,
  schedulerPort,
  upstreamPort,
  upstreamText,
} from './world.ts'

const [folder = ''] = process.argv.slice(2)
const file = (name: string) => join(folder, name)
const say = (event: CloudEvent) => void process.stdout.write(`${JSON.stringify(event)}\n`)

const applied = readApplied(readFileSync(file(files.applied), 'utf8'))
const [key = '', ...otherKeys] = keysOf(applied)
const [, project = ''] = key.split('/')
const [vm] = vmsOf(applied)
if (!vm || otherKeys.length > 0) throw new Error('the stack has no relay VM, or several keys')

const issuer = await startGoogleIssuer()
const google = await startGoogleCloud(project, key)
for (const { group } of vmsOf(applied)) google.groups.set(group, [])
google.groups.get(vm.group)?.push(machine.instanceId)

/** Access tokens that somebody was given. */
const granted = new Set<string>()
async function newToken(): Promise<object> {
  const asked = await fetch(`${google.url}/computeMetadata/v1/instance/service-accounts/default/token`, {
    headers: { 'metadata-flavor': 'Google' },
  })
  const answer = (await asked.json()) as { readonly access_token: string }
  granted.add(answer.access_token)
  return answer
}
const isGranted = (token: string) => granted.has(token)

for (const [address, socket] of [
  [emulators.firestore, files.firestore],
  [emulators.pubsub, files.pubsub],
] as const)
  await bridge(address, file(socket))
const serveZone = await serveNames(applied, project)
const cloudflare = await openCloudflareServer({ token: applied.secrets['cloudflare-token'] ?? '' })
const ownZones = Map.groupBy(recordsOf(applied), ({ name }) => zoneOf(name))
for (const { metadata } of vmsOf(applied)) {
  const zone = zoneOf(metadata['ptun-cell-host'] ?? '')
  if (!ownZones.has(zone)) ownZones.set(zone, [])
}
for (const [zone, records] of ownZones)
  cloudflare.zone(
    zone,
    records.map((record) => ({ ...record, ttl: 300, proxied: false, comment: 'by Terraform' })),
  )
async function publishZones(): Promise<void> {
  const authorities = authoritiesOf(applied)
  for (const zone of ownZones.keys())
    await serveZone(zone, [
      ...cloudflare.recordsOf(zone),
      ...authorities.filter(({ name }) => zoneOf(name) === zone),
    ])
}
await publishZones()
const clients = await openPubsubClients(project)
await makeTopics(clients, applied)

const tls = { key: readFileSync(file(files.key), 'utf8'), cert: readFileSync(file(files.chain), 'utf8') }
const person = { uid: 'a-person-of-the-applied-stack', email: 'ada@example.com' }
const isWithheld = (name: string) =>
  existsSync(file(files.withheld)) && readFileSync(file(files.withheld), 'utf8') === name
const metadata = metadataServer({ project, vm, newToken, isWithheld, sign: issuer.sign, say })
const web = makeWeb({
  ...{ applied, project, google, cloudflare, issuer, person, newToken, isGranted, publishZones, say },
  buckets: file(files.buckets),
})
const grpc = makeGrpcFront({
  ...{ tls, isGranted, databases: databasesOf(applied) },
  emulators: new Map([
    ['firestore.googleapis.com', emulators.firestore],
    ['pubsub.googleapis.com', emulators.pubsub],
  ]),
  onAnswer: (method, status) => say({ kind: 'called', method, status }),
  rest: (request, response) => void passTo(google.url, request, response),
})
const upstream = createServer((_, response) => void response.end(upstreamText))
const scheduler = createServer((_, response) => {
  callBySchedule().then(
    (status) => response.end(`${status}`),
    (error: unknown) => response.writeHead(502).end(String(error)),
  )
})
await Promise.all([
  listen(
    createServer((...call) => void metadata(...call)),
    80,
    addresses.metadata,
  ),
  listen(createHttpsServer(tls, web), 443, addresses.web),
  listen(grpc, 443, addresses.grpc),
  listen(upstream, upstreamPort, '127.0.0.1'),
  listen(scheduler, schedulerPort, '127.0.0.1'),
])
for (const each of functionsOf(applied)) if (each.trigger) await trigger(clients, each, each.trigger)
say({ kind: 'up', token: await signIn(issuer) })

type Listening = { listen(port: number, host: string, ready: () => void): unknown }

function listen(server: Listening, port: number, host: string): Promise<void> {
  return new Promise((resolve) => void server.listen(port, host, resolve))
}

/** The emulators are outside the namespace. */
async function bridge(address: string, socket: string): Promise<void> {
  const server = createNetServer((near) => {
    const far = connect(socket)
    for (const side of [near, far]) side.on('error', () => undefined)
    near.pipe(far).pipe(near)
    near.once('close', () => far.destroy())
    far.once('close', () => near.destroy())
  })
  const { hostname, port } = new URL(`http://${address}`)
  await listen(server, Number(port), hostname)
}

async function makeTopics({ publisher, subscriber }: PubsubClients, stack: Applied): Promise<void> {
  for (const name of topicsOf(stack)) await publisher.createTopic({ name })
  for (const subscription of subscriptionsOf(stack)) await subscriber.createSubscription(subscription)
}

/** Does what Eventarc does: its own subscription, and a call with a token for each message. */
async function trigger(
  { subscriber }: PubsubClients,
  { name, host }: DeployedFunction,
  { topic, caller }: NonNullable<DeployedFunction['trigger']>,
): Promise<void> {
  const subscription = `projects/${project}/subscriptions/eventarc-${name}`
  await subscriber.createSubscription({ name: subscription, topic })
  new Pull({
    client: subscriber,
    subscription,
    clock: systemClock,
    random: Math.random,
    onLost: () => undefined,
    onTrouble: () => undefined,
    handle: async ({ id, text, attributes }) => {
      const message = { data: Buffer.from(text).toString('base64'), messageId: id, attributes }
      const headers = {
        'ce-id': id,
        'ce-source': `//pubsub.googleapis.com/${topic}`,
        'ce-specversion': '1.0',
        'ce-type': 'google.cloud.pubsub.topic.v1.messagePublished',
      }
      const status = await call(`https://${host}`, { caller, headers, body: { message, subscription } })
      say({ kind: 'delivered', name, status })
      if (status >= 300) throw new Error(`${name} answered ${status}`)
    },
  })
}

async function callBySchedule(): Promise<number> {
  const { uri, http_method: method, oidc_token: token } = scheduledCall(applied)
  const { service_account_email: caller, audience } = token
  return call(uri, { caller, audience, method })
}

async function call(
  url: string,
  given: {
    readonly caller: string
    readonly audience?: string
    readonly method?: string
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: object
  },
): Promise<number> {
  const { caller, audience = url, method = 'POST', headers, body } = given
  const token = await issuer.sign({ email: caller, aud: audience })
  const answer = await fetch(url, {
    method,
    headers: { ...headers, authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  })
  await answer.arrayBuffer()
  return answer.status
}

/** What Firebase gives a person who just signed in. */
function signIn({ sign }: GoogleIssuer): Promise<string> {
  const now = Math.floor(Date.now() / 1_000)
  return sign({
    iss: `https://securetoken.google.com/${project}`,
    aud: project,
    sub: person.uid,
    user_id: person.uid,
    auth_time: now,
    iat: now,
    exp: now + 3_600,
    email: person.email,
    email_verified: true,
    firebase: { identities: { email: [person.email] }, sign_in_provider: 'password' },
  })
}
