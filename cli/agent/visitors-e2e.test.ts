/** Visitors whose TLS ends at the agent, behind the handshake. */
import type { Lease } from '@porttunneler/shared/api/schemas/tunnels'
import type { OpenInfo } from '@porttunneler/shared/mux/open-info'
import type { StreamSink } from '@porttunneler/shared/mux/stream-sink'
import { Turn } from '@porttunneler/shared/mux/turn'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { anyVisitor } from '@porttunneler/shared/testing/mux-pair'
import { describe, expect, test, vi } from 'vitest'
import { newTunnel } from './tunnels.ts'
import { VisitorDesk } from './visitor-desk.ts'
import type { InsideTls, PlainVisitor, TlsWish, VisitorStream } from './visitor-stream.ts'

/** A visitor whose handshake is over when the test says so; nothing is encrypted. */
function visit(inside: InsideTls, { isShared = false, isReady = true } = {}) {
  const clock = new FakeClock()
  const said: string[] = []
  const wishes: TlsWish[] = []
  const stream: VisitorStream = {
    write: (bytes) => said.push(bytes.toString('latin1')) > 0,
    end: () => said.push('<end>'),
    consumed: () => {},
    reset: (key) => said.push(`<reset ${key}>`),
    resetBehind: (key) => said.push(`<reset behind ${key}>`),
    opened: () => {},
    answeredUpgrade: () => {},
    ...{ isOver: false, bytesIn: 0, bytesOut: 0 },
  }
  let visitor: PlainVisitor | undefined
  const desk = new VisitorDesk({
    ...{ clock, turn: new Turn(), emit: () => {}, onIdle: () => {} },
    endTls: (_stream, wish) => {
      wishes.push(wish)
      if (!isReady) return 'tls.no_certificate'
      const lead = (plain: PlainVisitor): StreamSink => {
        visitor = plain
        return plain
      }
      return { ...stream, host: 'a.test', lead }
    },
  })
  const upstream = { host: '127.0.0.1', port: 1 }
  const tunnel = newTunnel(1, { kind: 'tls', upstream, endToEnd: inside, requests: { logins: [] } })
  tunnel.name = 'shop'
  if (isShared) tunnel.lease = { agents: 'many' } as Lease
  desk.accept(stream as Parameters<VisitorDesk['accept']>[0], { ...anyVisitor, bind: 1 } as OpenInfo, tunnel)
  return { clock, desk, said, wishes, start: () => visitor?.start(), dial: () => visitor?.dial() }
}

describe('visitors whose TLS ends at the agent', () => {
  test('an http visitor has ten seconds for its first request from the end of its handshake', () => {
    const { clock, said, start, desk } = visit('http')
    clock.advance(9_000)
    start()
    clock.advance(9_999)
    expect(said).toEqual([])
    clock.advance(1)
    expect(said).toEqual(['<end>'])
    clock.advance(5_000)
    expect([said.at(-1), desk.active, clock.pending]).toEqual(['<reset http.head_deadline>', 0, 0])
  })

  test('an agent of several that has no certificate passes the visitor on', () => {
    const { said, wishes, desk } = visit('anything', { isShared: true, isReady: false })
    expect(said).toEqual(['<reset tls.no_certificate>'])
    expect([wishes, desk.active]).toEqual([[{ inside: 'anything', tunnel: 'shop', isShared: true }], 0])
  })

  test.each(['http', 'anything'] as const)(
    'an agent of several whose upstream is down passes the visitor on: %s inside',
    async (inside) => {
      const { said, dial, desk } = visit(inside, { isShared: true })
      dial()
      await vi.waitFor(() => expect(said).toEqual(['<reset upstream.refused>']), { timeout: 10_000 })
      expect(desk.active).toBe(0)
    },
  )
})
