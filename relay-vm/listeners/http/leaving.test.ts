/** HTTP/1.1 connections of a relay that leaves. */
import { describe, expect, test } from 'vitest'
import { answer, get, hears, type Rig, say, seen, useRigs } from '../../testing/http-rig.ts'

const startRig = useRigs()

describe('http visitor: a relay that leaves', () => {
  test('closes a connection that is idle between two requests, and tells the upstream in order', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/1'))
    const upstream = await rig.upstream()
    say(upstream, answer('one'))
    await visitor.until((text) => text === answer('one'))
    rig.connections[0]?.startLeaving()
    leave(rig)
    expect(await visitor.end()).toBe(answer('one'))
    await upstream.heard.until(() => upstream.heard.hasFin)
  })

  test('closes a connection without a request', async () => {
    const rig = await startRig()
    const visitor = await rig.visit('')
    expect(rig.connections[0]?.isUnasked).toBe(true)
    leave(rig)
    expect(await visitor.end()).toBe('')
    expect(rig.connections[0]?.isUnasked).toBe(false)
  })

  test('a connection that was answered late has half a second for the next request too', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/1'))
    const upstream = await rig.upstream()
    rig.connections[0]?.startLeaving()
    leave(rig)
    say(upstream, answer('one'))
    await visitor.until((text) => text === answer('one'))
    for (let looks = 0; looks < 9; looks++) rig.connections[0]?.leaveIfDone()
    visitor.socket.write(get('/2'))
    await hears(upstream, seen('/1') + seen('/2', 'Connection: close\r\n'))
    say(upstream, answer('two'))
    await visitor.until((text) => text === answer('one') + answer('two'))
  })

  test('waits for an answer that is not complete, however long it pauses', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/events'))
    const upstream = await rig.upstream()
    const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
    say(upstream, `${head}1\r\na\r\n`)
    await visitor.until((text) => text.endsWith('a\r\n'))
    rig.connections[0]?.startLeaving()
    await rig.pass(60_000)
    leave(rig)
    expect(visitor.hasEnded).toBe(false)
    say(upstream, '0\r\n\r\n')
    await visitor.until((text) => text.endsWith('0\r\n\r\n'))
    leave(rig)
    await visitor.end()
  })

  test('the next request asks the upstream to close, and bytes after it are dropped', async () => {
    const rig = await startRig()
    const visitor = await rig.visit(get('/1'))
    const upstream = await rig.upstream()
    say(upstream, answer('one'))
    await visitor.until((text) => text === answer('one'))
    rig.connections[0]?.startLeaving()
    visitor.socket.write(get('/2') + get('/3'))
    await hears(upstream, seen('/1') + seen('/2', 'Connection: close\r\n'))
    leave(rig)
    say(upstream, answer('two'))
    upstream.stream.end()
    expect(await visitor.end()).toBe(answer('one') + answer('two'))
    await upstream.heard.until(() => upstream.heard.hasFin)
    expect(upstream.heard.bytes.toString('latin1')).not.toContain('/3')
  })
})

/** Half a second passes in a relay that leaves. */
function leave(rig: Rig): void {
  for (let looks = 0; looks < 10; looks++) rig.connections[0]?.leaveIfDone()
}
