/** Relays of one cell: each proves names, each serves their certificates, and one resumes what another began. */
import { once } from 'node:events'
import { join } from 'node:path'
import { connect, type SecureVersion } from 'node:tls'
import type { SyncAnswer } from '@porttunneler/shared/api/schemas/relays'
import { systemClock } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import { issueAt, SmallIssuer } from '@porttunneler/shared/testing/small-issuer'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { makeTestControl, type TestControl } from './testing/test-control.ts'
import { TestBench } from './testing/test-relay.ts'

const host = 'shop.tunnels.test'
const tls: SyncAnswer['tls'] = { thumbprint: 'thumb', ticketSecret: 'a secret of the cell' }

let control: TestControl
let bench: TestBench
/** Everything that the relays asked the control plane for. */
let asked: string[]
let isDown = false

beforeEach(async () => {
  isDown = false
  asked = []
  const plain = await makeTestControl()
  const made = await issueAt(new SmallIssuer({ clock: systemClock }), [host])
  control = Object.assign(plain, {
    sync: wrapSync(plain),
    certificates: async (hosts: readonly string[]) => {
      if (isDown) throw fail('relay.control')
      asked.push(...hosts)
      return hosts.includes(host) ? [{ host, hosts: [host], version: 1, ...made }] : []
    },
  })
  bench = await TestBench.make(control)
})
afterEach(() => bench.close())

function wrapSync(plain: TestControl): TestControl['sync'] {
  const sync = plain.sync.bind(plain)
  return async (...args) => ({ ...(await sync(...args)), tls })
}

/** A relay as on a machine of its own: with a folder and a command line that no other has. */
async function startRelay(name: string) {
  process.argv.push(name)
  try {
    const { relay, ports } = await bench.startRelay({ instance: name, dataDir: join(bench.dataDir, name) })
    return { relay, ...ports }
  } finally {
    process.argv.pop()
  }
}

async function bind(port: { readonly tlsPort: number } & Record<string, unknown>) {
  const ticket = await control.ticket({ endpoint: `host:${host}` })
  const upstreamPort = await bench.startUpstream((socket) => {
    socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi'))
  })
  const agent = await bench.dial(port as never, { ticket, upstreamPort })
  await agent.bind(1, ticket)
}

type Visit = {
  readonly serial: string
  readonly names: string
  readonly isReused: boolean
  readonly session: Buffer
}

async function visit(port: number, version: SecureVersion, session?: Buffer): Promise<Visit> {
  const versions = { minVersion: version, maxVersion: version }
  const options = { port, host: '127.0.0.1', servername: host, rejectUnauthorized: false, ...versions }
  const socket = connect({ ...options, ...(session && { session }) })
  let ticket: Buffer = Buffer.alloc(0)
  socket.on('session', (given: Buffer) => {
    ticket = given
  })
  await once(socket, 'secureConnect')
  const { serialNumber: serial, subjectaltname: names = '' } = socket.getPeerCertificate()
  const facts = { serial, names, isReused: socket.isSessionReused() }
  socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  socket.resume()
  await once(socket, 'close')
  return { ...facts, session: ticket }
}

/** Once the relay has fetched it, which it does when the name is bound. @returns its number */
async function certified(port: number): Promise<string> {
  let serial = ''
  await vi.waitFor(
    async () => {
      const found = await visit(port, 'TLSv1.3')
      expect(found.names).toBe(`DNS:${host}`)
      serial = found.serial
    },
    { timeout: 10_000 },
  )
  return serial
}

/** With the name bound, and its certificate there. */
async function startBound(name: string) {
  const relay = await startRelay(name)
  await bind(relay)
  return { ...relay, serial: await certified(relay.tlsPort) }
}

describe('certificates in a cell', () => {
  test('each relay fetches what is bound there, and answers any challenge of the cell', async () => {
    const relays = [await startBound('r1'), await startBound('r2')]
    expect(new Set(relays.map(({ serial }) => serial)).size).toBe(1)
    expect(asked.filter((name) => name === host)).toHaveLength(2)
    for (const { httpPort } of relays) {
      const answer = await fetch(`http://127.0.0.1:${httpPort}/.well-known/acme-challenge/some-token`, {
        headers: { host },
      })
      expect(await answer.text()).toBe('some-token.thumb')
    }
  })

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'a session by %s that one relay began is resumed at another',
    async (version) => {
      const [first, second] = [await startBound('r1'), await startBound('r2')]
      const begun = await visit(first.tlsPort, version)
      expect(begun.isReused).toBe(false)
      expect((await visit(first.tlsPort, version, begun.session)).isReused).toBe(true)
      expect((await visit(second.tlsPort, version, begun.session)).isReused).toBe(true)
    },
  )

  test('a relay that starts anew when it can fetch none serves the certificates that it kept', async () => {
    const { relay, serial } = await startBound('r1')
    await relay.close()
    isDown = true
    asked.length = 0
    const again = await startRelay('r1')
    await bind(again)
    expect(await certified(again.tlsPort)).toBe(serial)
    expect(asked).toEqual([])
  })
})
