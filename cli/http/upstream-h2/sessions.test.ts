import { codes } from '@porttunneler/shared/base/errors'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { describe, expect, test } from 'vitest'
import {
  errorCode,
  fieldBlock,
  frame,
  frameFlag,
  frameType,
  get,
  type RawPeer,
  settingsFrame,
  until,
} from '../../testing/raw-http2.ts'
import { useRigs } from '../../testing/rigs.ts'

const rigs = useRigs()
const whole = frameFlag.endHeaders | frameFlag.endStream
const answer = (peer: RawPeer, id: number) =>
  peer.send(frameType.headers, whole, id, fieldBlock([':status', '200']))

/** An upstream that counts frames, and a clock moved by hand. */
async function rigOf(serve = answer, greeting?: Buffer) {
  const clock = new FakeClock()
  const seen: number[] = []
  const rig = await rigs.raw(serve, {
    greeting,
    clock,
    onFrame: ({ type, flags }) => void (flags === 1 || seen.push(type)),
  })
  const count = (type: number) => seen.filter((one) => one === type).length
  return { ...rig, clock, count }
}

describe('connections to an HTTP/2 upstream', () => {
  test('one that is idle for a minute ends, and the next visitor gets another', async () => {
    const rig = await rigOf()
    const visitor = rig.visit().send(get)
    await visitor.heard('\r\n\r\n')
    rig.clock.advance(59_000)
    visitor.send(get)
    await visitor.heard(/200[\s\S]*200[\s\S]*\r\n\r\n$/)
    expect(rig.connections()).toBe(1)
    rig.clock.advance(60_000)
    await until(() => rig.ended() === 1)
    visitor.send(get)
    await visitor.heard(/(?:200[\s\S]*){3}\r\n\r\n$/)
    expect(rig.connections()).toBe(2)
  })

  test('one that was silent is asked with the next request whether it lives, and left if it does not', async () => {
    const rig = await rigOf((peer, id) => {
      if (id === 1) answer(peer, id)
    })
    await rig.visit().send(get).heard('\r\n\r\n')
    expect(rig.count(frameType.ping), 'gRPC servers count pings without requests as abuse').toBe(0)
    rig.clock.advance(31_000)
    const late = rig.visit().send(get)
    await until(() => rig.count(frameType.ping) === 1)
    rig.clock.advance(10_000)
    expect(await late.over()).toMatch(/^HTTP\/1\.1 502 /)
    await rig.visit().send(get).heard('\r\n\r\n')
    expect(rig.connections()).toBe(2)
  })

  test('one whose upstream has vanished is found out although requests keep coming', async () => {
    const rig = await rigOf((peer, id) => {
      if (id === 1) answer(peer, id)
    })
    await rig.visit().send(get).heard('\r\n\r\n')
    const unanswered = []
    for (let count = 1; count <= 4; count++) {
      rig.clock.advance(9_000)
      unanswered.push(rig.visit().send(get))
      await until(() => rig.count(frameType.headers) === 1 + count)
    }
    await until(() => rig.count(frameType.ping) === 1)
    rig.clock.advance(10_000)
    for (const visitor of unanswered) expect(await visitor.over()).toMatch(/^HTTP\/1\.1 502 /)
    await rig.visit().send(get).heard('\r\n\r\n')
    expect(rig.connections()).toBe(2)
  })

  test('new settings of the tunnel end them with their last request', async () => {
    const open: (() => void)[] = []
    const rig = await rigOf((peer, id) => void open.push(() => answer(peer, id)))
    const old = rig.visit().send(get)
    await until(() => open.length === 1)
    rig.tunnel.wanted = { ...rig.tunnel.wanted }
    const fresh = rig.visit().send(get)
    await until(() => open.length === 2)
    expect(rig.connections()).toBe(2)
    expect(rig.ended()).toBe(0)
    for (const one of open.splice(0)) one()
    await Promise.all([old.heard('\r\n\r\n'), fresh.heard('\r\n\r\n')])
    await until(() => rig.ended() === 1)
    // A visitor from before may go on.
    old.send(get)
    await until(() => open.length === 1)
    open[0]?.()
    await old.heard(/200[\s\S]*200[\s\S]*\r\n\r\n$/)
  })

  test('an upstream that ends each at once is not asked for ever', async () => {
    const bye = frame(frameType.goaway, 0, 0, Buffer.concat([errorCode(0), errorCode(0)]))
    const rig = await rigOf(answer, Buffer.concat([settingsFrame(), bye]))
    const visitor = rig.visit().send(get)
    await visitor.until(() => visitor.hasFin || visitor.resetCode !== undefined)
    expect(visitor.text + visitor.resetCode).toContain(codes['upstream.reset'].code.slice(3))
    expect(rig.connections()).toBeLessThan(4)
  })

  test('they end with the desk, and so do the requests on them', async () => {
    const rig = await rigOf(() => {})
    const visitor = rig.visit().send(get)
    await until(() => rig.count(frameType.headers) === 1)
    rig.desk.close()
    await visitor.over()
    await until(() => rig.ended() === 1)
  })
})
