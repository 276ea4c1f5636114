/** For which hosts an agent asks for certificates. */
import type { Lease } from '@porttunneler/shared/api/schemas/tunnels'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { WantedTunnel } from '../agent/tunnels.ts'
import type { VisitorStream } from '../agent/visitor-stream.ts'
import type { Connection } from '../context.ts'
import { EndToEnd } from './end-to-end.ts'

const open: EndToEnd[] = []
afterEach(() => {
  for (const each of open.splice(0)) each.close()
})

function start() {
  const asked: string[] = []
  const client = {
    requestCertificate: async ({ host }: { host: string }) => {
      asked.push(host)
      return { id: `crt_${host}`, host, state: 'ordering' }
    },
    certificate: async (id: string) => ({ id, host: '', state: 'ordering' }),
  }
  const endToEnd = new EndToEnd({
    connection: { client, server: 'https://a.test' } as unknown as Connection,
    ...{ folder: undefined, account: 'acc', clock: new FakeClock(), random: () => 0.5, emit: () => {} },
  })
  open.push(endToEnd)
  return {
    endToEnd,
    /** The hosts that were asked for, as soon as there are so many. */
    asked: async (count: number) => {
      await vi.waitFor(() => expect(asked.length).toBeGreaterThanOrEqual(count), { timeout: 5_000 })
      return asked.toSorted()
    },
  }
}

const wanted = (more: Partial<WantedTunnel> = {}): WantedTunnel => ({
  ...{ kind: 'tls', name: 'shop', upstream: { host: 'localhost', port: 1 }, endToEnd: 'http' },
  ...more,
})
const lease = (host: string) => ({ name: 'shop', endpoint: { host } }) as unknown as Lease

describe('hosts of an agent that ends TLS', () => {
  test.each([
    ['a reserved name', {}, 'shop.e2e.t.test', ['shop.e2e.t.test']],
    [
      'a name that is not reserved, so that the server says what is missing',
      {},
      'shop.t.test',
      ['shop.t.test'],
    ],
    ['an own domain alone', { domain: 'App.Example.com' }, 'shop.t.test', ['app.example.com']],
    ['both', { domain: 'app.example.com' }, 'shop.e2e.t.test', ['app.example.com', 'shop.e2e.t.test']],
  ])('%s', async (_what, more, host, hosts) => {
    const { endToEnd, asked } = start()
    endToEnd.follow(wanted(more), lease(host))
    endToEnd.follow(wanted(more), lease(host))
    expect(await asked(hosts.length)).toEqual(hosts)
  })

  test('leases of the last run are followed before the server answers, and other tunnels are not', async () => {
    const { endToEnd, asked } = start()
    const { endToEnd: _, ...plain } = wanted()
    const saved = ['a', 'b', 'c'].map((name) => ({ lease: lease(`${name}.e2e.t.test`), relays: [] }))
    endToEnd.followSaved([plain, wanted(), wanted()], [saved[0], saved[1], undefined])
    expect(await asked(1)).toEqual(['b.e2e.t.test'])
  })

  test('a tunnel that moves to another host leaves the first', async () => {
    const { endToEnd, asked } = start()
    endToEnd.follow(wanted(), lease('shop.t.test'))
    await asked(1)
    endToEnd.follow(wanted(), lease('shop.e2e.t.test'))
    expect(await asked(2)).toEqual(['shop.e2e.t.test', 'shop.t.test'])
    endToEnd.drop({ name: 'shop' })
    endToEnd.follow(wanted(), lease('shop.t.test'))
    expect(await asked(3)).toEqual(['shop.e2e.t.test', 'shop.t.test', 'shop.t.test'])
  })

  test('without a certificate, a visitor of a shared tunnel is left to other agents; alone, its handshake tells it', () => {
    const { endToEnd } = start()
    endToEnd.follow(wanted(), lease('shop.e2e.t.test'))
    const stream = {} as VisitorStream
    const end = (isShared: boolean) => endToEnd.endTls(stream, { inside: 'http', tunnel: 'shop', isShared })
    expect(end(true)).toBe('tls.no_certificate')
    expect(end(false)).toMatchObject({ isOver: undefined })
  })
})
