/**
 * The surroundings of a relay VM, in a network namespace beside it: the metadata server as strict as the real one, the
 * web server with the archives, and a control plane that knows the VM by its token. An agent comes as soon as the first
 * relay is ready. `node surroundings.ts <attributes.json> <folder of archives>` prints what happens as JSON lines.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createReadStream, existsSync, readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { basename, join } from 'node:path'
import { agent, makeTestControl } from '@porttunneler/relay-vm/testing/test-control'
import { TestAgent } from '@porttunneler/relay-vm/testing/test-relay'
import {
  certificatesSchema,
  type RelayCertificate,
  type SyncRequest,
  syncSchema,
} from '@porttunneler/shared/api/schemas/relays'
import { Secret } from '@porttunneler/shared/base/secret'
import { issueLeaf, makeAuthority } from '@porttunneler/standalone/local-authority'
import { jwtVerify, SignJWT } from 'jose'
import { controlUrl, type VmEvent, vm } from './vm.ts'

const [attributesFile = '', archives = ''] = process.argv.slice(2)
const say = (event: VmEvent) => process.stdout.write(`${JSON.stringify(event)}\n`)
const never = new AbortController().signal

/** Google signs with keys of its own; checking them has its own tests. */
const key = randomBytes(32)
const issuer = 'https://accounts.google.com'

function makeToken(audience: string): Promise<string> {
  const compute_engine = { instance_id: vm.instanceId, project_id: vm.project, zone: 'europe-west1-b' }
  return new SignJWT({ google: { compute_engine }, email: 'relay@example.com', email_verified: true })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuer(issuer)
    .setAudience(audience)
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(key)
}

const values: Readonly<Record<string, string>> = {
  'project/project-id': vm.project,
  'instance/id': vm.instanceId,
  'instance/network-interfaces/0/access-configs/0/external-ip': vm.address,
  'instance/scheduling/preemptible': 'TRUE',
}

async function answerMetadata(request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader('metadata-flavor', 'Google')
  const url = new URL(request.url ?? '', 'http://metadata')
  const path = url.pathname.replace('/computeMetadata/v1/', '')
  const isForwarded = request.headers['x-forwarded-for'] !== undefined
  if (request.headers['metadata-flavor'] !== 'Google' || isForwarded) {
    response.writeHead(403).end('Missing required header "Metadata-Flavor": "Google"')
  } else if (request.method === 'PUT' && path.startsWith('instance/guest-attributes/')) {
    say({ kind: 'guestAttribute', value: await textOf(request) })
    response.end()
  } else if (path === 'instance/service-accounts/default/identity') {
    const audience = url.searchParams.get('audience') ?? ''
    say({ kind: 'token', audience, format: url.searchParams.get('format') ?? '' })
    response.end(await makeToken(audience))
  } else {
    const value = path.startsWith('instance/attributes/') ? attributes()[basename(path)] : values[path]
    response.writeHead(value === undefined ? 404 : 200).end(value)
  }
}

function attributes(): Readonly<Record<string, string | undefined>> {
  return JSON.parse(readFileSync(attributesFile, 'utf8'))
}

/** The certificate of the cell, with its wildcard. */
const authority = makeAuthority([vm.cellHost], Date.now())
const certificate = makeCertificate()

function makeCertificate(): RelayCertificate {
  const hosts = [vm.cellHost, `*.${vm.cellHost}`]
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const chain = issueLeaf(authority, { hosts, spki, nowMs: Date.now() })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  return { host: vm.cellHost, hosts, version: 1, chain, key: pem }
}

const control = await makeTestControl()
/** Until the first relay is ready. */
let isAgentAway = true

async function answerControl(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url ?? ''
  if (path.startsWith('/archives/')) {
    const file = join(archives, basename(path))
    say({ kind: 'archive', name: basename(path) })
    if (existsSync(file)) createReadStream(file).pipe(response)
    else response.writeHead(404).end()
    return
  }
  try {
    const token = request.headers.authorization?.replace('Bearer ', '') ?? ''
    await jwtVerify(token, key, { issuer, audience: controlUrl })
    if (path.endsWith('/me/certificates')) {
      const { hosts } = certificatesSchema.parse(JSON.parse(await textOf(request)))
      response.end(JSON.stringify({ certificates: hosts.includes(vm.cellHost) ? [certificate] : [] }))
      say({ kind: 'certificates', hosts, root: authority.root })
      return
    }
    const report = syncSchema.parse(JSON.parse(await textOf(request)))
    const answer = await control.sync(report, new Secret('ptc_test'), never)
    response.end(JSON.stringify({ ...answer, tls: { thumbprint: 'thumb', ticketSecret: 'secret' } }))
    const { boot, state } = report
    const { instance, watchUrl, agentAddress } = boot
    say({ kind: 'sync', instance, state, agentPort: agentAddress.port, watchUrl })
    if (!isAgentAway || state !== 'ready' || !boot.instance.startsWith('r1-')) return
    isAgentAway = false
    await serveTunnel(boot.agentAddress)
  } catch (error) {
    say({ kind: 'refused', reason: String(error) })
    if (!response.writableEnded) response.writeHead(401).end()
  }
}

/** Serves one http tunnel at the first relay. */
async function serveTunnel(address: SyncRequest['boot']['agentAddress']): Promise<void> {
  const upstream = createServer((_request, response) => response.end('from the upstream'))
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const bound = upstream.address()
  const upstreamPort = typeof bound === 'object' && bound !== null ? bound.port : 0
  const ticket = await control.ticket({ endpoint: `host:demo.${vm.cellHost}` })
  const { port, sni, certificate } = address
  const dialled = await TestAgent.dial(port, {
    ticket,
    upstreamPort,
    agentId: agent,
    certificate,
    sni,
    host: vm.address,
  })
  say({ kind: 'bound', endpoint: await dialled.bind(1, ticket) })
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text
}

createServer((request, response) => void answerMetadata(request, response)).listen(80, '169.254.169.254')
createServer((request, response) => void answerControl(request, response)).listen(
  { port: Number(new URL(controlUrl).port), host: vm.controlAddress },
  () => say({ kind: 'up' }),
)
