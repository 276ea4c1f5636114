/** Visitors whose TLS ends at the agent, behind the handshake. */
import type { OpenInfo } from '@porttunneler/shared/mux/open-info'
import type { StreamSink } from '@porttunneler/shared/mux/stream-sink'
import { Turn } from '@porttunneler/shared/mux/turn'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { anyVisitor } from '@porttunneler/shared/testing/mux-pair'
import { describe, expect, test } from 'vitest'
import { newTunnel } from './tunnels.ts'
import { VisitorDesk } from './visitor-desk.ts'
import type { InsideTls, PlainVisitor, VisitorStream } from './visitor-stream.ts'

/** A visitor whose handshake is over when the test says so; nothing is encrypted. */
function visit(inside: InsideTls) {
  const clock = new FakeClock()
  const said: string[] = []
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
    endTls: () => ({
      ...stream,
      host: 'a.test',
      lead(plain): StreamSink {
        visitor = plain
        return plain
      },
    }),
  })
  const upstream = { host: '127.0.0.1', port: 1 }
  const tunnel = newTunnel(1, { kind: 'tls', upstream, endToEnd: inside, requests: { logins: [] } })
  desk.accept(stream as Parameters<VisitorDesk['accept']>[0], { ...anyVisitor, bind: 1 } as OpenInfo, tunnel)
  return { clock, desk, said, start: () => visitor?.start() }
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
})
