/**
 * `npm run bench:idle-agents`: many agents, each with one tunnel and no visitors, at one relay process as it is
 * deployed. Measures what each costs the relay in memory, and the CPU time for the heartbeats of all. The agents are
 * sessions in this process, dialled by the real handshake over TLS on loopback; the control plane is the tests'.
 *
 *   npm run bench:idle-agents -- --count 10000 --seconds 30
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeTestControl, type TestControl } from '@porttunneler/relay-vm/testing/test-control'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { newId } from '@porttunneler/shared/base/ids'
import { Secret } from '@porttunneler/shared/base/secret'
import { Budget } from '@porttunneler/shared/mux/budget'
import { dialRelay } from '@porttunneler/shared/mux/dial'
import { Liveness } from '@porttunneler/shared/mux/liveness'
import type { Session } from '@porttunneler/shared/mux/session'
import { Turn } from '@porttunneler/shared/mux/turn'
import { z } from 'zod'
import { readOptions } from '../e2e/harness/options.ts'
import { relayMalloc, relayNodeOptions } from '../standalone/relay.ts'
import { cpuSeconds, residentBytes, stop } from './processes.ts'

const host = '127.0.0.1'
const sni = 'r1.relay.tunnels.test'
const relayBundle = fileURLToPath(new URL('../relay-vm/dist/relay.cjs', import.meta.url))
/** How many dials run at once. */
const parallel = 48
/** After this time buffers of the opening are released, and timers have run. */
const settleMs = 10_000
/** Each agent has two sockets: one here and one at the relay. */
const descriptorsBeside = 200

const values = readOptions({
  name: 'bench:idle-agents',
  what: 'So many agents with a tunnel each and no visitors at one relay: memory, and CPU of their heartbeats.',
  takes: 'Takes about two minutes.',
  options: {
    count: { type: 'string', default: '10000', value: 'number', says: 'how many' },
    seconds: { type: 'string', default: '30', value: 'number', says: 'how long they are looked at' },
  },
})
const count = z.coerce.number().int().min(1).max(60_000).parse(values.count)
const seconds = z.coerce.number().min(5).max(600).parse(values.seconds)
const say = (line: string) => process.stdout.write(`${line}\n`)

async function main(): Promise<void> {
  raiseLimit(count + descriptorsBeside)
  const folder = mkdtempSync(join(tmpdir(), 'pt-idle-'))
  const control = await makeTestControl()
  const server = await serveControl(control)
  const relay = startRelay(folder, (server.address() as AddressInfo).port)
  try {
    const { boot } = await control.synced(({ state }) => state === 'ready')
    await measure(relay, { control, address: boot.agentAddress })
  } finally {
    await stop(relay)
    server.close()
    server.closeAllConnections()
    rmSync(folder, { recursive: true, force: true })
  }
}

type Address = Parameters<typeof dialRelay>[0]['address']

async function measure(
  relay: ChildProcess,
  { control, address }: { control: TestControl; address: Address },
): Promise<void> {
  const pids = [relay.pid ?? 0]
  const crowd = new Crowd(control, address)
  // The first agents make what is made once: compiled code, tables of TLS.
  await crowd.grow(50)
  await sleep(systemClock, settleMs)
  const first = { bytes: residentBytes(pids), agents: crowd.size }
  const startMs = systemClock.monotonic()
  const startCpu = cpuSeconds(pids)
  await crowd.grow(count)
  const openSeconds = (systemClock.monotonic() - startMs) / 1_000
  const openCpu = cpuSeconds(pids) - startCpu
  await sleep(systemClock, settleMs)
  const idleCpu = cpuSeconds(pids)
  await sleep(systemClock, seconds * 1_000)
  const cpuShare = (cpuSeconds(pids) - idleCpu) / seconds
  const bytes = residentBytes(pids)
  const opened = crowd.size - first.agents
  if (crowd.lost > 0) throw new Error(`${crowd.lost} sessions were lost`)
  say(`${crowd.size} agents held, load average ${loadavg()[0]?.toFixed(1)}`)
  say('| | |\n|---|---|')
  say(`| relay with ${first.agents} agents | ${(first.bytes / 1e6).toFixed(0)} MB |`)
  say(`| relay with ${crowd.size} agents | ${(bytes / 1e6).toFixed(0)} MB |`)
  say(`| an idle agent at the relay | ${((bytes - first.bytes) / opened / 1_000).toFixed(1)} KB |`)
  say(`| heartbeats of all | ${(cpuShare * 1_000).toFixed(0)} ms of CPU a second |`)
  say(
    `| coming | ${(opened / openSeconds).toFixed(0)} a second, ${((openCpu / opened) * 1_000).toFixed(2)} ms of CPU each |`,
  )
  crowd.close()
}

/** Sessions without traffic. */
class Crowd {
  lost = 0
  readonly #control: TestControl
  readonly #address: Address
  readonly #mux = {
    clock: systemClock,
    turn: new Turn(),
    liveness: new Liveness({ clock: systemClock, side: 'agent' }),
    budget: new Budget(256 * 1024 ** 2),
  }
  readonly #sessions: Session[] = []

  constructor(control: TestControl, address: Address) {
    this.#control = control
    this.#address = address
  }

  get size(): number {
    return this.#sessions.length
  }

  /** Dials until there are `count`, each with its tunnel bound. */
  async grow(count: number): Promise<void> {
    let next = this.#sessions.length
    const come = async () => {
      while (next < count) await this.#join(next++)
    }
    await Promise.all(Array.from({ length: parallel }, come))
  }

  close(): void {
    for (const session of this.#sessions) session.close('session.closed')
  }

  async #join(index: number): Promise<void> {
    const agent = newId('agt', systemClock.now() + index)
    const ticket = await this.#control.ticket({ endpoint: `host:idle-${index}.tunnels.test`, agent })
    const bound = Promise.withResolvers<void>()
    const session = await dialRelay({
      ...this.#mux,
      address: this.#address,
      agent,
      ticket,
      build: 'bench',
      random: Math.random,
      signal: AbortSignal.timeout(60_000),
      events: {
        onBound: () => bound.resolve(),
        onUnbound: (_bind, code, message) => bound.reject(new Error(`${code} ${message}`)),
        onClosed: (reason) => {
          this.lost += 1
          bound.reject(reason)
        },
      },
    })
    session.bind(1, ticket)
    await bound.promise
    this.#sessions.push(session)
  }
}

/** The test's control plane, over HTTP for a relay in a process of its own. */
async function serveControl(control: TestControl): Promise<Server> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = JSON.parse(Buffer.concat(chunks).toString())
    const signal = new AbortController().signal
    const answer =
      request.url === '/v1/relays/enrol'
        ? await control.enrol({ key: new Secret(body.key), name: body.name }, signal)
        : await control.sync(body, new Secret('ptc_test'), signal)
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  })
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  return server
}

/** Starts it from its bundle, as it is deployed. Its log is not measured. */
function startRelay(folder: string, controlPort: number): ChildProcess {
  const file = join(folder, 'relay.json')
  const config = {
    instance: 'r1',
    dataDir: folder,
    controlUrl: `http://${host}:${controlPort}`,
    enrolmentKey: 'pte_test',
    listen: { tls: { host, port: 0 }, http: { host, port: 0 }, tcpHost: host },
    public: { agentHost: host, agentSni: sni, names: [host], domain: 'tunnels.test' },
    limits: { sessionsMax: count + 100 },
    graceMs: 0,
    logLevel: 'warn',
  }
  writeFileSync(file, JSON.stringify(config))
  return spawn(process.execPath, [...relayNodeOptions, relayBundle, file], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ...relayMalloc },
  })
}

/** Raises it for this process; the relay inherits it. */
function raiseLimit(wanted: number): void {
  const { status, stderr } = spawnSync(
    'prlimit',
    ['--pid', `${process.pid}`, `--nofile=${wanted}:${wanted}`],
    { encoding: 'utf8' },
  )
  if (status !== 0) say(`the limit of descriptors stays as it is (${stderr?.trim() ?? 'no prlimit'})`)
}

await main()
process.exit(0)
