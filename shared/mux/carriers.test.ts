/** A session over several carriers: lost, replaced, silent, dedicated, retired. Wire protocol, rules 15 to 26. */
import { createHash, randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { encodeJson, FrameType } from '../protocol/frames.ts'
import { limits } from '../protocol/limits.ts'
import { MuxLink, turns } from '../testing/mux-link.ts'
import { anyVisitor, Recorder } from '../testing/mux-pair.ts'
import type { FreshCarrier } from './fresh-carrier.ts'
import type { Session } from './session.ts'
import type { Stream } from './stream.ts'

type Ends = { readonly visitor: Side; readonly upstream: Side }
type Side = { readonly stream: Stream; readonly heard: Recorder }

async function linked() {
  const offered: Side[] = []
  const link = new MuxLink({
    agent: {
      onOpen(stream) {
        const heard = new Recorder()
        heard.stream = stream
        offered.push({ stream, heard })
        return heard
      },
    },
  })
  await link.dial()
  await turns(6)
  const open = async (): Promise<Ends> => {
    const heard = new Recorder()
    const stream = relayOf(link).open(anyVisitor, heard)
    heard.stream = stream
    const known = offered.length
    await link.pass(100)
    return { visitor: { stream, heard }, upstream: offered[known] as Side }
  }
  return { link, open }
}

function relayOf({ relay }: MuxLink): Session {
  if (!relay) throw new Error('no session')
  return relay
}
function agentOf({ agent }: MuxLink): Session {
  if (!agent) throw new Error('no session')
  return agent
}

/** Keeps a stream writing until it has accepted all of `bytes`; each call of `more` writes as much as it may. */
function writer({ stream, heard }: Side, bytes: Buffer) {
  let at = 0
  let mayWrite = true
  heard.onWritable = () => {
    mayWrite = true
  }
  return {
    get isDone() {
      return at >= bytes.length
    },
    more() {
      while (mayWrite && at < bytes.length) {
        mayWrite = stream.write(bytes.subarray(at, at + 32 * 1024))
        at += 32 * 1024
      }
    },
  }
}

const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

describe('carriers', () => {
  test('a transfer outlives its carrier, cut again and again, byte for byte', async () => {
    const { link, open } = await linked()
    const { visitor, upstream } = await open()
    const bytes = randomBytes(4_000_000)
    const source = writer(upstream, bytes)
    for (let cuts = 0; !source.isDone || visitor.heard.bytes.length < bytes.length; cuts++) {
      source.more()
      await link.pass(100)
      if (cuts < 12) link.wires.at(-1)?.a.destroy()
      await link.pass(700)
      if (cuts > 200) throw new Error('no progress')
    }
    expect(hash(visitor.heard.bytes)).toBe(hash(bytes))
    expect(link.wires.length).toBeGreaterThan(10)
    expect(link.agentClosed).toBeUndefined()
  })

  test('a black hole of a minute: noticed within 10 s, new visitors refused, open ones continue when it heals', async () => {
    const { link, open } = await linked()
    const { visitor, upstream } = await open()
    upstream.stream.write(Buffer.from('before '))
    await link.pass(500)
    link.silence()
    upstream.stream.write(Buffer.from('during '))
    await link.pass(10_000)
    expect([relayOf(link).state, agentOf(link).state]).toEqual(['detached', 'detached'])
    expect(() => relayOf(link).open(anyVisitor, new Recorder())).toThrow(
      expect.objectContaining({ key: 'carrier.lost' }),
    )
    await link.pass(50_000)
    link.path = 'open'
    await link.pass(1_000)
    expect([relayOf(link).state, agentOf(link).state]).toEqual(['open', 'open'])
    visitor.stream.write(Buffer.from('after'))
    await link.pass(500)
    expect(visitor.heard.bytes.toString()).toBe('before during ')
    expect(upstream.heard.bytes.toString()).toBe('after')
  })

  test('while nothing listens dials are 100 ms apart for 5 s, then seconds', async () => {
    const { link } = await linked()
    link.path = 'refused'
    link.wires[0]?.a.destroy()
    await link.pass(1_000)
    expect(link.dials).toBeGreaterThanOrEqual(9)
    await link.pass(5_000)
    const early = link.dials
    await link.pass(10_000)
    expect(early).toBeLessThanOrEqual(55)
    expect(link.dials - early).toBeLessThanOrEqual(5)
    link.path = 'open'
    await link.pass(12_000)
    expect(agentOf(link).state).toBe('open')
  })

  test('the grace has an end: a session that stays detached is reset, and no timer is left', async () => {
    const { link, open } = await linked()
    const { visitor, upstream } = await open()
    link.silence()
    await link.pass(limits.lostMs + limits.resumeTryMs + 2_000)
    expect(link.relayClosed?.key).toBe('carrier.lost')
    expect(link.agentClosed?.key).toBe('carrier.lost')
    expect([visitor.heard.resetCode, upstream.heard.resetCode].every((code) => code !== undefined)).toBe(true)
    // Dials on their way end at their own deadline.
    await link.pass(limits.helloDeadlineMs + 1_000)
    expect(link.clock.pending).toBe(0)
  })

  test('an agent that is back before its relay missed it: no waiting visitor is turned away', async () => {
    let detached = 0
    const heardAt: Side[] = []
    const onOpen = (stream: Stream) => {
      const heard = new Recorder()
      heardAt.push({ stream, heard })
      return heard
    }
    const link = new MuxLink({ agent: { onOpen }, relay: { onDetached: () => (detached += 1) } })
    await link.dial()
    await turns(6)
    const [first] = agentOf(link).carriers
    Object.defineProperty(first, 'localAddress', { value: '192.0.2.1' })
    link.wires[0]?.blackHole()
    const visitor = new Recorder()
    relayOf(link).open(anyVisitor, visitor).write(Buffer.from('hello'))
    await link.pass(100)
    agentOf(link).probe(new Set(['192.0.2.1']))
    await link.pass(300)
    expect([detached, visitor.resetCode]).toEqual([0, undefined])
    expect(heardAt.map(({ heard }) => heard.bytes.toString())).toEqual(['hello'])
    expect([...relayOf(link).carriers].map(({ number }) => number)).toEqual([2])
  })

  test('bytes used while detached are granted when the path heals', async () => {
    const { link, open } = await linked()
    const { visitor, upstream } = await open()
    visitor.heard.isHungry = false
    upstream.stream.write(Buffer.alloc(limits.windowBytesInitial))
    await link.pass(1_000)
    link.silence()
    await link.pass(10_000)
    visitor.stream.consumed(limits.windowBytesInitial)
    upstream.stream.write(Buffer.from('more'))
    link.path = 'open'
    await link.pass(2_000)
    expect(visitor.heard.bytes.length).toBe(limits.windowBytesInitial + 4)
  })

  test('a relay that lost its memory: the agent is told at once and resets its streams', async () => {
    const { link, open } = await linked()
    const { upstream } = await open()
    link.relay = undefined
    link.wires[0]?.a.destroy()
    await link.pass(2_000)
    expect(link.agentClosed?.key).toBe('session.unknown')
    expect(upstream.heard.resetCode).toBeDefined()
    expect(link.wires.at(-1)?.a.destroyed, 'kept for nothing, it is given up').toBe(true)
  })

  test('a relay that lost its memory: the next session begins on the connection with that answer', async () => {
    const { link } = await linked()
    link.relay = undefined
    link.wires[0]?.a.destroy()
    await link.pass(200)
    expect(link.agentClosed?.key).toBe('session.unknown')
    await link.dial()
    expect(link.agent?.state).toBe('open')
    expect(relayOf(link).id).toBe(agentOf(link).id)
    expect(link.dials, 'the first dial, and the one that met the new relay').toBe(2)
  })

  test('a connection gets one more HELLO, of a new session', async () => {
    const { link } = await linked()
    link.relay = undefined
    link.wires[0]?.a.destroy()
    await link.pass(200)
    const { carrier } = link.spare.take() as FreshCarrier
    const resume = { session: 'ses_other', proof: 'none' }
    const hello = { versions: [1], agent: 'agent', build: '', carrier: 9, window: 4_096, lost: [], resume }
    carrier.frames.send(encodeJson(FrameType.hello, hello))
    await link.pass(200)
    expect(link.refusals.map(({ key }) => key)).toEqual(['frame.unexpected'])
    expect(carrier.isLost).toBe(true)
  })

  test('a carrier with a wrong proof is refused and the session lives on', async () => {
    const { link } = await linked()
    const relay = relayOf(link)
    const thief = new MuxLink()
    await thief.dial()
    await turns(6)
    thief.relay = relay
    thief.wires[0]?.a.destroy()
    await thief.pass(2_000)
    expect(thief.refusals.map(({ key }) => key)).toContain('carrier.proof')
    expect(relay.state).toBe('open')
    agentOf(thief).close('session.closed')
  })

  test('more carriers than a session may have are refused as such, and not as forgeries', async () => {
    const { link } = await linked()
    for (let changes = 0; changes < 80; changes++) {
      agentOf(link).probe()
      await link.pass(20)
    }
    expect(new Set(link.refusals.map(({ key }) => key))).toEqual(new Set(['session.limit']))
    expect([relayOf(link).carriers.size, relayOf(link).state]).toEqual([limits.carriersPerSession, 'open'])
    agentOf(link).close('session.closed')
  })

  test('an elephant beside others gets a carrier of its own; when it rests, it shares again', async () => {
    const { link, open } = await linked()
    const elephant = await open()
    const mouse = await open()
    const source = writer(elephant.upstream, randomBytes(20_000_000))
    for (let n = 0; n < 300 && elephant.upstream.stream.route.carrier.kind !== 'dedicated'; n++) {
      source.more()
      mouse.upstream.stream.write(Buffer.from('.'))
      await link.pass(100)
    }
    expect(elephant.upstream.stream.route.carrier.kind).toBe('dedicated')
    expect(mouse.upstream.stream.route.carrier.kind).toBe('shared')
    await link.pass(limits.elephantIdleMs + 3_000)
    expect(elephant.upstream.stream.route.carrier.kind).toBe('shared')
    await link.pass(limits.dedicatedIdleMs + 10_000)
    expect([...agentOf(link).carriers].map(({ kind }) => kind)).toEqual(['shared'])
    expect([...relayOf(link).carriers].map(({ kind }) => kind)).toEqual(['shared'])
  })

  test("a relay's elephant makes the agent dial", async () => {
    const { link, open } = await linked()
    const elephant = await open()
    const mouse = await open()
    const source = writer(elephant.visitor, randomBytes(20_000_000))
    for (let n = 0; n < 300 && elephant.visitor.stream.route.carrier.kind !== 'dedicated'; n++) {
      source.more()
      mouse.visitor.stream.write(Buffer.from('.'))
      await link.pass(100)
    }
    expect(elephant.visitor.stream.route.carrier.kind).toBe('dedicated')
  })

  test('after a change of network a dead path is given up within 1.5 s, a living one is kept', async () => {
    const { link } = await linked()
    const dead = link.wires[0]
    dead?.blackHole()
    agentOf(link).probe()
    await link.pass(1_600)
    expect([...agentOf(link).carriers].map(({ number }) => number)).toEqual([2])
    agentOf(link).probe()
    await link.pass(3_000)
    expect(agentOf(link).carriers.get(2)).toBeDefined()
  })

  test('a path from an address that the machine no longer has is given up at once', async () => {
    const { link, open } = await linked()
    const { visitor, upstream } = await open()
    const [first] = agentOf(link).carriers
    Object.defineProperty(first, 'localAddress', { value: '192.0.2.1' })
    link.wires[0]?.blackHole()
    visitor.stream.write(Buffer.from('on its way'))
    agentOf(link).probe(new Set(['198.51.100.7']))
    expect(first?.isLost).toBe(false)
    agentOf(link).probe(new Set(['192.0.2.1']))
    expect(first?.isLost).toBe(true)
    await link.pass(300)
    expect(upstream.heard.bytes.toString()).toBe('on its way')
  })

  test('after one of several carriers was lost, only unanswered requests are repeated', async () => {
    const binds: number[] = []
    const link: MuxLink = new MuxLink({
      relay: {
        onBind: (bind) => {
          binds.push(bind)
          if (bind !== 400) link.relay?.bound(bind, 'endpoint')
        },
      },
    })
    await link.dial()
    await turns(6)
    for (let bind = 1; bind <= 400; bind++) agentOf(link).bind(bind, 'ticket')
    await link.pass(500)
    for (let losses = 0; losses < 5; losses++) {
      agentOf(link).probe()
      await link.pass(500)
      link.wires.at(-2)?.a.destroy()
      await link.pass(500)
    }
    expect(binds.slice(0, 400)).toHaveLength(400)
    expect(new Set(binds.slice(400))).toEqual(new Set([400]))
    expect(link.agentClosed).toBeUndefined()
  })

  test('bindings are requested again after a loss', async () => {
    const binds: number[] = []
    const link = new MuxLink({ relay: { onBind: (bind) => binds.push(bind) } })
    await link.dial()
    await turns(6)
    link.silence()
    agentOf(link).bind(7, 'ticket')
    await link.pass(12_000)
    link.path = 'open'
    await link.pass(1_000)
    expect(binds).toEqual([7])
  })
})
