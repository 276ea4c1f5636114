/** Certificates of an agent over a server that the test plays, with a real authority behind it and a moved clock. */
import { X509Certificate } from 'node:crypto'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AgentCertificate } from '@porttunneler/shared/api/schemas/certificates'
import { type ErrorKey, fail } from '@porttunneler/shared/base/errors'
import { Secret } from '@porttunneler/shared/base/secret'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { SmallIssuer } from '@porttunneler/shared/testing/small-issuer'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { AgentEvent } from '../agent/events.ts'
import { CertificateKeeper } from './certificate-keeper.ts'
import { KeptCertificates } from './kept-certificates.ts'

const host = 'shop.e2e.tunnels.test'
const day = 86_400_000
const lifeMs = 90 * day

let folder = ''
let clock: FakeClock
const open: CertificateKeeper[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ptun-keeper-'))
  clock = new FakeClock()
})
afterEach(() => {
  for (const each of open.splice(0)) each.close()
  chmodSync(folder, 0o700)
  rmSync(folder, { recursive: true, force: true })
})

/** The server: it orders each key once, and issues when it is asked the second time. */
class Server {
  readonly requests: { readonly host: string; readonly csr: string; readonly replaces?: string }[] = []
  readonly orders = new Map<string, AgentCertificate>()
  readonly refusals: ErrorKey[] = []
  renewAfterMs = 60 * day
  problem: AgentCertificate['problem']
  /** The server has lost what it knew. */
  isForgetful = false
  /** When it was asked about a valid one. */
  readonly readAt: number[] = []
  readonly #issuer = new SmallIssuer({ clock, lifeMs })

  async request(wish: { host: string; csr: string; replaces?: string }): Promise<AgentCertificate> {
    this.requests.push(wish)
    const refusal = this.refusals.shift()
    if (refusal) throw fail(refusal)
    const id = `crt_${this.orders.size + 1}`
    const known = [...this.orders.values()].find(({ chain }) => chain === wish.csr)
    if (known) return { ...known }
    this.orders.set(id, { id, host: wish.host, state: 'ordering' })
    return { id, host: wish.host, state: 'ordering' }
  }

  async read(id: string): Promise<AgentCertificate> {
    const order = this.isForgetful ? undefined : this.orders.get(id)
    if (!order) throw fail('api.not_found')
    if (this.problem && order.state !== 'valid') return { ...order, state: 'failing', problem: this.problem }
    if (order.state === 'valid') {
      this.readAt.push(clock.now())
      return order
    }
    const now = clock.now()
    const times = { notAfter: now + lifeMs, renewAt: now + this.renewAfterMs }
    const chain = await this.#issue(this.requests.at(-1)?.csr ?? '')
    this.orders.set(id, { ...order, state: 'valid', chain, ...times })
    return this.orders.get(id) ?? order
  }

  async #issue(csr: string): Promise<string> {
    const account = { url: '', key: new Secret('') }
    const order = await this.#issuer.order(account, { hosts: [host], replaces: 'x' })
    await this.#issuer.ready(account, { url: order.url, type: '', token: '', status: '' })
    await this.#issuer.readOrder(account, order.url)
    const der = Buffer.from(csr.replace(/-----.*-----/g, ''), 'base64')
    await this.#issuer.finalize(account, order, der)
    return this.#issuer.download(account, order.url)
  }
}

function start(server: Server, { place = folder as string | undefined } = {}) {
  const events: AgentEvent[] = []
  const keeper = new CertificateKeeper({
    api: server,
    kept: new KeptCertificates({ folder: place, server: 'https://a.test', account: 'acc' }),
    clock,
    random: () => 0.5,
    emit: (event) => events.push(event),
  })
  open.push(keeper)
  keeper.follow('shop', [host])
  const named = (name: string) => events.filter(({ event }) => event === name)
  return {
    keeper,
    events,
    named,
    /** Moves the clock by steps until it holds. */
    until: (check: () => boolean, stepMs = 1_000) =>
      vi.waitFor(
        () => {
          if (check()) return
          clock.advance(stepMs)
          throw new Error(`not yet: ${JSON.stringify(events)}`)
        },
        { timeout: 10_000, interval: 2 },
      ),
  }
}

type File = { readonly current?: { readonly key: string; readonly chain: string }; readonly nextKey?: string }
function kept(): File {
  const [file = ''] = readdirSync(join(folder, 'certificates'))
  return JSON.parse(readFileSync(join(folder, 'certificates', file), 'utf8')) as File
}

describe('certificates of an agent', () => {
  test('a key is made, kept before it is used, and its certificate counts for handshakes', async () => {
    const server = new Server()
    const { keeper, named, until } = start(server)
    expect([keeper.contextOf(host), keeper.hasAny('shop')]).toEqual([undefined, false])
    await until(() => server.requests.length === 1, 0)
    expect(kept().nextKey).toContain('PRIVATE KEY')
    expect(server.requests[0]?.csr).not.toContain('PRIVATE')
    await until(() => keeper.contextOf(host) !== undefined)
    expect([keeper.hasAny('shop'), keeper.hasAny('other')]).toEqual([true, false])
    await until(() => named('certificate.ready').length === 1)
    expect(named('certificate.ordered')).toHaveLength(1)
    const { current, nextKey } = kept()
    expect(new X509Certificate(current?.chain ?? '').subject ?? '').toBe('')
    expect(nextKey).toBeUndefined()
    const [file = ''] = readdirSync(join(folder, 'certificates'))
    expect(statSync(join(folder, 'certificates', file)).mode & 0o777).toBe(0o600)
  })

  test('an agent that is started again goes on with the same key, or has its certificate at once', async () => {
    const server = new Server()
    server.problem = { code: 'PT-2601', title: '', detail: 'down', cure: '' }
    const first = start(server)
    await first.until(() => first.named('certificate.failed').length === 1)
    const { nextKey } = kept()
    first.keeper.close()
    server.problem = undefined
    const second = start(server)
    await second.until(() => second.named('certificate.ready').length === 1)
    expect(kept().current?.key).toBe(nextKey)
    second.keeper.close()
    const requests = server.requests.length
    const third = start(server)
    await third.until(() => third.keeper.contextOf(host) !== undefined, 0)
    expect(server.requests).toHaveLength(requests)
  })

  test('it is renewed with a new key when the server says so, and named as the successor', async () => {
    const server = new Server()
    const { keeper, named, until } = start(server)
    await until(() => named('certificate.ready').length === 1)
    const [before, key] = [keeper.contextOf(host), kept().current?.key]
    await until(() => named('certificate.ready').length === 2, day / 4)
    expect(server.requests.map(({ replaces }) => replaces)).toEqual([undefined, 'crt_1'])
    expect(keeper.contextOf(host)).not.toBe(before)
    expect(kept().current?.key).not.toBe(key)
  })

  test('a time of renewal that the server brings forward counts within a day or so', async () => {
    const server = new Server()
    const { named, until } = start(server)
    await until(() => named('certificate.ready').length === 1)
    const began = clock.now()
    const order = server.orders.get('crt_1')
    if (order) server.orders.set('crt_1', { ...order, renewAt: began + 1 })
    server.readAt.length = 0
    await until(() => named('certificate.ready').length === 2, day / 8)
    // The new key takes time that the moved clock does not wait for; the question before it is asked at its hour.
    expect((server.readAt[0] ?? Number.POSITIVE_INFINITY) - began).toBeLessThan(2 * day)
  })

  test('a server that is silent or has forgotten it ends no certificate, and it is renewed in time', async () => {
    const server = new Server()
    const { keeper, named, until } = start(server)
    await until(() => named('certificate.ready').length === 1)
    const issuedAt = clock.now()
    server.isForgetful = true
    await until(() => clock.now() - issuedAt > 61 * day, day / 4)
    expect(keeper.contextOf(host)).toBeDefined()
    server.isForgetful = false
    await until(() => named('certificate.ready').length === 2)
  })

  test('a machine that slept past the time of renewal renews within a minute of waking', async () => {
    const server = new Server()
    const { named, until } = start(server)
    await until(() => named('certificate.ready').length === 1)
    clock.jump(80 * day)
    const wokeAt = clock.monotonic()
    await until(() => named('certificate.ordered').length === 2)
    expect(clock.monotonic() - wokeAt).toBeLessThan(15 * 60_000)
  })

  test('a refusal is told once, tried again, and a key that is known elsewhere is replaced', async () => {
    const server = new Server()
    server.refusals.push('certificate.unreserved', 'certificate.unreserved', 'certificate.key_known')
    const { named, until } = start(server)
    await until(() => named('certificate.ready').length === 1)
    const codes = named('certificate.failed').map((event) => 'problem' in event && event.problem?.code)
    expect(codes).toEqual(['PT-2624', 'PT-2622'])
    const keys = server.requests.map(({ csr }) => spkiOf(csr))
    expect([keys[0] === keys[2], keys[2] === keys[3]]).toEqual([true, false])
  })

  test('where nothing can be written it says so, and works from memory', async () => {
    const server = new Server()
    const blocked = join(folder, 'file')
    writeFileSync(blocked, '')
    const { keeper, named, until } = start(server, { place: blocked })
    await until(() => keeper.contextOf(host) !== undefined)
    expect(named('certificate.unkept')).toMatchObject([
      { tunnel: 'shop', host, problem: { code: 'PT-6005' } },
    ])
  })

  test('the hosts of a tunnel that is gone are followed no more', async () => {
    const server = new Server()
    const { keeper, named, until } = start(server)
    await until(() => named('certificate.ready').length === 1)
    keeper.follow('shop', [])
    expect(keeper.contextOf(host)).toBeUndefined()
    clock.advance(89 * day)
    keeper.follow('shop', [])
    expect(server.requests).toHaveLength(1)
  })
})

/** The public key in a request of P-256, as text. */
function spkiOf(csr: string): string {
  const der = Buffer.from(csr.replace(/-----.*-----/g, ''), 'base64')
  const at = der.indexOf(Buffer.from('06082a8648ce3d030107', 'hex'))
  return der.subarray(at + 10, at + 80).toString('hex')
}
