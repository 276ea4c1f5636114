/** One relay process as it is deployed, and the tests' control plane for it. Benches without visitors use both. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeTestControl, type TestControl } from '@porttunneler/relay-vm/testing/test-control'
import type { SyncRequest } from '@porttunneler/shared/api/schemas/relays'
import { Secret } from '@porttunneler/shared/base/secret'
import { relayMalloc, relayNodeOptions } from '../standalone/relay.ts'
import { host } from './path.ts'
import { stop } from './processes.ts'

const sni = 'r1.relay.tunnels.test'
const relayBundle = fileURLToPath(new URL('../relay-vm/dist/relay.cjs', import.meta.url))

/** All of them come from one address here, unlike real agents. */
const oneSource = { perMinute: 60_000, burst: 60_000 }

/** The address that agents dial. */
export type AgentAddress = SyncRequest['boot']['agentAddress']

export class LoneRelay {
  readonly control: TestControl
  readonly #server: Server
  readonly #folder = mkdtempSync(join(tmpdir(), 'pt-relay-'))
  readonly #sessionsMax: number
  #child: ChildProcess | undefined
  #tlsPort = 0

  private constructor(control: TestControl, server: Server, sessionsMax: number) {
    this.control = control
    this.#server = server
    this.#sessionsMax = sessionsMax
  }

  static async make(sessionsMax: number): Promise<LoneRelay> {
    const control = await makeTestControl()
    return new LoneRelay(control, await serveControl(control), sessionsMax)
  }

  /** The id of the running process. */
  get pids(): readonly number[] {
    return this.#child?.pid === undefined ? [] : [this.#child.pid]
  }

  /** Resolves when it listens: at the same port as before, if it ran before. */
  async start(): Promise<AgentAddress> {
    const file = join(this.#folder, 'relay.json')
    writeFileSync(file, JSON.stringify(this.#config()))
    const before = new Set(this.control.requests.map(({ boot }) => boot.boot))
    this.#child = spawn(process.execPath, [...relayNodeOptions, relayBundle, file], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, ...relayMalloc },
    })
    const { boot } = await this.control.synced(
      ({ state, boot }) => state === 'ready' && !before.has(boot.boot),
    )
    this.#tlsPort = boot.agentAddress.port
    return boot.agentAddress
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    const child = this.#child
    child?.kill('SIGKILL')
    if (child) await stop(child)
  }

  async close(): Promise<void> {
    if (this.#child) await stop(this.#child)
    this.#server.close()
    this.#server.closeAllConnections()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #config(): object {
    return {
      instance: 'r1',
      dataDir: this.#folder,
      controlUrl: `http://${host}:${(this.#server.address() as AddressInfo).port}`,
      enrolmentKey: 'pte_test',
      listen: { tls: { host, port: this.#tlsPort }, http: { host, port: 0 }, tcpHost: host },
      public: { agentHost: host, agentSni: sni, names: [host], domain: 'tunnels.test' },
      limits: {
        sessionsMax: this.#sessionsMax,
        source: oneSource,
        handshakes: { source: oneSource },
      },
      graceMs: 0,
      logLevel: 'warn',
    }
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

/** Raises the limit of descriptors for this process and for what it starts; `say` is told when that fails. */
export function allowDescriptors(wanted: number, say: (line: string) => void): void {
  const args = ['--pid', `${process.pid}`, `--nofile=${wanted}:${wanted}`]
  const { status, stderr } = spawnSync('prlimit', args, { encoding: 'utf8' })
  if (status !== 0) say(`the limit of descriptors stays as it is (${stderr?.trim() ?? 'no prlimit'})`)
}
