/** The namespaces, what is outside the relay VM, and the functions of an applied stack with their own environments. */
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { connect, createServer, type Server } from 'node:net'
import { delimiter, dirname, join } from 'node:path'
import type { EmulatorHosts } from '../../functions/testing/emulators.ts'
import { issueLeaf, makeAuthority } from '../../standalone/local-authority.ts'
import { EventLog } from '../harness/events.ts'
import { type Program, root as repository, runProgram, startProgram } from '../harness/programs.ts'
import { programPath } from '../requirements.ts'
import { layWire, takeWire } from '../vm/wire.ts'
import { type Applied, type DeployedFunction, functionsOf, recordsOf, vmsOf } from './state.ts'
import {
  acmeHost,
  addresses,
  type CloudEvent,
  emulators,
  files,
  functionsFrom,
  machine,
  pebblePorts,
} from './world.ts'

const framework = join(
  createRequire(join(repository, 'functions/main.ts')).resolve('@google-cloud/functions-framework'),
  '../main.js',
)

export type Stage = {
  /** The names of the network namespaces. */
  readonly machine: string
  readonly cloud: string
  /** PEM file with the root above all certificates outside. */
  readonly authority: string
  readonly events: EventLog<CloudEvent>
  readonly functions: ReadonlyMap<string, Program>
  /** An ID token of a person. */
  readonly token: string
  /** Runs a program outside the VM that trusts what is there. */
  run(words: readonly string[], env?: Readonly<Record<string, string>>): ReturnType<typeof runProgram>
  close(): Promise<void>
}

export async function openStage(folder: string, applied: Applied, hosts: EmulatorHosts): Promise<Stage> {
  const parts = new AsyncDisposableStack()
  try {
    const names = { machine: `ptun-vm-${process.pid}`, cloud: `ptun-cloud-${process.pid}` }
    parts.defer(() => takeWire(names.machine, names.cloud))
    const { metadata, web, grpc, names: resolver, zones, resolvers } = addresses
    layWire(
      { name: names.machine, addresses: [machine.address, ...vmAddresses(applied)] },
      { name: names.cloud, addresses: [metadata, web, grpc, resolver, zones, ...resolvers], resolver },
    )
    const authority = writeCertificates(folder, applied)
    parts.use(await startPebble(folder, names.cloud))
    parts.use(await bridge(join(folder, files.firestore), hosts.firestore))
    parts.use(await bridge(join(folder, files.pubsub), hosts.pubsub))
    const outside = await startProgram(
      process.execPath,
      [join(repository, 'e2e/applied/surroundings.ts'), folder],
      {
        namespace: names.cloud,
        env: {
          PUBSUB_EMULATOR_HOST: emulators.pubsub,
          METADATA_SERVER_DETECTION: 'none',
          NODE_EXTRA_CA_CERTS: authority,
        },
      },
    )
    parts.defer(async () => void (await outside.stop('SIGKILL')))
    const events = new EventLog<CloudEvent>()
    outside.lines.subscribe(({ from, text }) => {
      if (from === 'stdout') events.push(JSON.parse(text))
      else process.stderr.write(`outside: ${text}\n`)
    })
    const up = await events.waitFor((event) => event.kind === 'up', {
      what: 'what is outside',
      deadlineMs: 60_000,
    })
    const functions = new Map<string, Program>()
    for (const [index, each] of functionsOf(applied).entries()) {
      const source = unpack(folder, each)
      const program = await startFunction(each, { source, namespace: names.cloud, authority, index })
      functions.set(each.name, program)
      parts.defer(async () => void (await program.stop('SIGKILL')))
    }
    return {
      ...{ ...names, authority, events, functions, token: up.kind === 'up' ? up.token : '' },
      run: ([command = '', ...args], env = {}) =>
        runProgram(command, args, {
          namespace: names.cloud,
          env: { ...trusting(authority), ...env },
          deadlineMs: 60_000,
        }),
      close: () => parts.disposeAsync(),
    }
  } catch (error) {
    await parts.disposeAsync()
    throw error
  }
}

/** For programs that have this process's environment. */
function trusting(authority: string): Readonly<Record<string, string | undefined>> {
  return {
    NODE_EXTRA_CA_CERTS: authority,
    CURL_CA_BUNDLE: authority,
    // Where a machine sets it, gRPC trusts nothing else.
    GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: undefined,
  }
}

/** A balancer passes connections through, so its addresses are the VM's too. */
function vmAddresses(applied: Applied): readonly string[] {
  return vmsOf(applied)[0]?.addresses ?? []
}

/** One certificate for all that is outside. @returns the file with the root above it */
function writeCertificates(folder: string, applied: Applied): string {
  const consoles = recordsOf(applied).flatMap(({ name, type }) => (type === 'CNAME' ? [name] : []))
  const own = ['googleapis.com', 'api.cloudflare.com', acmeHost, ...consoles]
  const run = functionsOf(applied).map(({ host }) => host)
  const authority = makeAuthority([...own, ...run], Date.now())
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const hosts = ['*.googleapis.com', 'api.cloudflare.com', acmeHost, ...consoles, ...run]
  writeFileSync(join(folder, files.chain), issueLeaf(authority, { hosts, spki, nowMs: Date.now() }))
  writeFileSync(join(folder, files.key), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  writeFileSync(join(folder, files.root), authority.root)
  return join(folder, files.root)
}

/** Let's Encrypt's own server for tests, with the certificate of all that is outside. */
async function startPebble(folder: string, namespace: string): Promise<AsyncDisposable> {
  const config = join(folder, 'pebble.json')
  const pebble = {
    listenAddress: `127.0.0.1:${pebblePorts.acme}`,
    managementListenAddress: `127.0.0.1:${pebblePorts.management}`,
    ...{ certificate: join(folder, files.chain), privateKey: join(folder, files.key) },
    ...{ httpPort: 80, tlsPort: 443, ocspResponderURL: '', externalAccountBindingRequired: false },
  }
  writeFileSync(config, JSON.stringify({ pebble }))
  const words = ['-config', config, '-dnsserver', `${addresses.names}:53`]
  const env = { PEBBLE_WFE_NONCEREJECT: '0', PEBBLE_AUTHZREUSE: '0', PEBBLE_VA_NOSLEEP: '1' }
  const program = await startProgram(programPath('pebble'), words, { namespace, env })
  return { [Symbol.asyncDispose]: async () => void (await program.stop('SIGKILL')) }
}

/** A socket that leads to an emulator, which a namespace does not reach. */
async function bridge(path: string, host: string): Promise<AsyncDisposable> {
  const { hostname, port } = new URL(`http://${host}`)
  const server: Server = createServer((near) => {
    const far = connect({ host: hostname, port: Number(port) })
    for (const side of [near, far]) side.on('error', () => undefined)
    near.pipe(far).pipe(near)
    near.once('close', () => far.destroy())
    far.once('close', () => near.destroy())
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  return { [Symbol.asyncDispose]: async () => void server.close() }
}

/** As Google unpacks a function's source; functions with the same archive share a folder. */
function unpack(folder: string, { archive }: DeployedFunction): string {
  const source = join(folder, 'sources', archive)
  try {
    mkdirSync(dirname(source), { recursive: true })
    mkdirSync(source)
  } catch {
    return source
  }
  execFileSync('unzip', ['-q', join(folder, files.buckets, archive), '-d', source])
  symlinkSync(join(repository, 'node_modules'), join(source, 'node_modules'))
  return source
}

/** What Cloud Run itself sets, and Node's own place. */
export function platformVariables({ entryPoint }: DeployedFunction, index: number) {
  return {
    PATH: [dirname(process.execPath), '/usr/bin', '/bin'].join(delimiter),
    HOME: '/nonexistent',
    NODE_ENV: 'production',
    FUNCTION_TARGET: entryPoint,
    PORT: `${functionsFrom + index}`,
  }
}

type Place = {
  readonly source: string
  readonly namespace: string
  readonly authority: string
  readonly index: number
}

/** With the variables that it is given, and none of this process. */
export function startFunction(each: DeployedFunction, { source, namespace, authority, index }: Place) {
  const variables = {
    ...platformVariables(each, index),
    ...each.variables,
    NODE_EXTRA_CA_CERTS: authority,
  }
  const pairs = Object.entries(variables).map(([name, value]) => `${name}=${value}`)
  return startProgram('env', ['-i', ...pairs, process.execPath, framework], { namespace, cwd: source })
}

/** The environment that a process was started with. */
export function environmentOf({ pid }: Program): Readonly<Record<string, string>> {
  const lines = readFileSync(`/proc/${pid}/environ`, 'utf8')
    .split('\0')
    .filter((line) => line !== '')
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
}
