import { describe, expect, test } from 'vitest'
import { codes } from '../base/errors.ts'
import { limits } from '../protocol/limits.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { turns } from '../testing/mux-link.ts'
import { anyVisitor, muxPair, Recorder } from '../testing/mux-pair.ts'

function spending(firstId: number) {
  const clock = new FakeClock()
  const goAways: string[] = []
  const upstreams: Recorder[] = []
  const pair = muxPair({
    clock,
    firstId,
    agent: {
      onGoAway: (code) => goAways.push(code),
      onOpen(stream) {
        const upstream = new Recorder()
        upstream.stream = stream
        upstreams.push(upstream)
        return upstream
      },
    },
  })
  return { clock, goAways, upstreams, pair, relay: pair.relay }
}

describe('the last stream ids', () => {
  test('the agent is asked once for its next session, and visitors are admitted meanwhile', async () => {
    const { goAways, upstreams, relay } = spending(limits.streamIdSpent - 1)
    relay.open(anyVisitor, new Recorder())
    await turns(10)
    expect([goAways, relay.isSpent]).toEqual([[], false])
    for (let n = 0; n < 3; n++) relay.open(anyVisitor, new Recorder()).write(Buffer.from('x'))
    await turns(10)
    expect(goAways).toEqual([codes['relay.replaced'].code])
    expect([relay.state, relay.isSpent]).toEqual(['open', true])
    expect(upstreams.map(({ bytes }) => bytes.toString())).toEqual(['', 'x', 'x', 'x'])
  })

  test('it ends when its last visitor has gone, and not before', async () => {
    const { clock, pair, upstreams, relay } = spending(limits.streamIdSpent)
    const visitor = new Recorder()
    const stream = relay.open(anyVisitor, visitor)
    visitor.stream = stream
    await turns(10)
    for (let ticks = 0; ticks < 5; ticks++) await clock.advanceAsync(limits.spentTickMs, 1_000)
    expect(relay.state).toBe('open')
    stream.end()
    upstreams[0]?.stream?.end()
    await turns(20)
    expect(visitor.isClosed).toBe(true)
    await clock.advanceAsync(limits.spentTickMs, 1_000)
    await turns(20)
    expect([relay.state, pair.closed.agent?.key]).toEqual(['closed', 'relay.replaced'])
  })

  test('no id is used from 2^31 on', () => {
    const { relay } = spending(limits.streamIdMax)
    expect(relay.open(anyVisitor, new Recorder()).id).toBe(2 ** 31 - 1)
    expect(() => relay.open(anyVisitor, new Recorder())).toThrow(
      expect.objectContaining({ key: 'relay.draining' }),
    )
  })
})
