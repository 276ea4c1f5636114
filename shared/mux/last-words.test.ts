/** RESET after what was written, on the wire alone; with sockets: splice.test.ts. */
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { wireCode } from '../base/errors.ts'
import { limits } from '../protocol/limits.ts'
import { MuxLink, turns } from '../testing/mux-link.ts'
import { anyVisitor, Recorder } from '../testing/mux-pair.ts'
import type { Session } from './session.ts'
import type { Stream } from './stream.ts'

const code = wireCode('stream.aborted')
/** More than the first window, so that some of it waits for credit. */
const words = randomBytes(limits.windowBytesInitial * 3)

type Side = { readonly stream: Stream; readonly heard: Recorder }

async function linked() {
  const offered: Side[] = []
  const link = new MuxLink({
    agent: {
      onOpen(stream) {
        const heard = new Recorder()
        heard.stream = stream
        offered.push({ stream, heard })
        stream.opened(1)
        return heard
      },
    },
  })
  await link.dial()
  await turns(6)
  const session = link.relay as Session
  const heard = new Recorder()
  const stream = session.open(anyVisitor, heard)
  heard.stream = stream
  await link.pass(100)
  const visitor: Side = { stream, heard }
  return { link, session, visitor, upstream: offered[0] as Side }
}

const sum = ({ heard }: Side) => ({ isWhole: heard.bytes.equals(words), resetCode: heard.resetCode })

test('RESET arrives after bytes that waited for credit, and the sender is told when it is over', async () => {
  const { link, session, visitor, upstream } = await linked()
  visitor.heard.isHungry = false
  upstream.stream.write(words)
  upstream.stream.resetBehind('stream.aborted')
  await link.pass(1_000)
  expect(visitor.heard.resetCode).toBeUndefined()
  expect(upstream.heard.resetCode).toBeUndefined()
  visitor.heard.isHungry = true
  visitor.stream.consumed(visitor.heard.bytes.length)
  await link.pass(1_000)
  expect(sum(visitor)).toEqual({ isWhole: true, resetCode: code })
  expect(upstream.heard.resetCode).toBe(code)
  expect([session.activeStreams, link.agent?.activeStreams]).toEqual([0, 0])
})

test('when everything is on its way on one carrier RESET follows at once, before any credit', async () => {
  const { link, visitor, upstream } = await linked()
  visitor.heard.isHungry = false
  upstream.stream.write(Buffer.from('words'))
  upstream.stream.resetBehind('stream.aborted')
  await turns(8)
  await link.pass(1)
  expect(visitor.heard.bytes.toString()).toBe('words')
  expect(visitor.heard.resetCode).toBe(code)
})

test('bytes and RESET on a lost carrier arrive by the next one', async () => {
  const { link, session, visitor, upstream } = await linked()
  const [wire] = link.wires
  wire?.blackHole()
  upstream.stream.write(Buffer.from('words'))
  upstream.stream.resetBehind('stream.aborted')
  await turns(8)
  expect(visitor.heard.bytes).toHaveLength(0)
  wire?.a.destroy()
  wire?.b.destroy()
  await link.pass(3_000)
  expect(link.wires.length).toBeGreaterThan(1)
  expect(visitor.heard.bytes.toString()).toBe('words')
  expect([visitor.heard.resetCode, upstream.heard.resetCode]).toEqual([code, code])
  expect([session.activeStreams, link.agent?.activeStreams]).toEqual([0, 0])
})

test('a minute in which nothing is used ends the waiting', async () => {
  const { link, session, visitor, upstream } = await linked()
  visitor.heard.isHungry = false
  upstream.stream.write(words)
  upstream.stream.resetBehind('stream.aborted')
  await link.pass(limits.lastWordsMs * 0.9)
  expect(upstream.heard.resetCode).toBeUndefined()
  await link.pass(limits.lastWordsMs * 0.5)
  expect([visitor.heard.resetCode, upstream.heard.resetCode]).toEqual([code, code])
  expect(session.activeStreams).toBe(0)
})
