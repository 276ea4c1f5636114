/** The gate where TLS ends at the agent: it does what a relay does for other http tunnels. */
import { describe, expect, test } from 'vitest'
import { get, good, locked, ok, openGate } from '../testing/gate-rig.ts'

const open = (rules = { logins: [] } as typeof locked) => openGate(rules, { hostOfTls: 'a.test' })
const ours = 'X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: a.test\r\nX-Forwarded-Proto: https\r\n'
const sent = (fields = '', path = '/') => get(`${fields}${ours}`, path)
const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'
const switched = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'

describe('the gate where TLS ends at the agent', () => {
  test('forwarding fields are ours alone, on every request, in any pieces', () => {
    const forged = 'X-Forwarded-For: 10.0.0.1\r\nForwarded: for=10.0.0.1\r\nX_Forwarded_Proto: http\r\n'
    const requests = get(`A: b\r\n${forged}`) + get(forged, '/2')
    for (const size of [1, 7, requests.length]) {
      const { ask, passed } = open()
      for (let at = 0; at < requests.length; at += size) ask(requests.slice(at, at + size))
      expect(passed()).toBe(sent('A: b\r\n') + sent('', '/2'))
    }
  })

  test('a request for another host than that of the handshake gets 421, and nothing passes', () => {
    const { ask, said, passed } = open()
    ask('GET / HTTP/1.1\r\nHost: b.test\r\n\r\n')
    expect(said()).toMatch(/^HTTP\/1\.1 421 .*PT-4013.*<end>$/s)
    expect(passed()).toBe('<refused http.misdirected>')
  })

  test.each([
    [
      'both lengths',
      'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    ],
    ['no host', 'GET / HTTP/1.1\r\n\r\n'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ])('a head that relays refuse gets a page here too: %s', (_what, text) => {
    const { ask, said, passed } = open()
    ask(text)
    expect(said()).toMatch(/^HTTP\/1\.1 (400|505) .*X-PortTunneler-Error: PT-.*<end>$/s)
    expect(passed()).toMatch(/^<refused http\./)
  })

  test('an Upgrade passes both ways untouched once the upstream has switched', () => {
    const { ask, answer, said, passed } = open()
    ask(get(upgrade))
    expect(passed()).toBe(sent(upgrade))
    ask('\x81\x00GET / HTTP/1.1')
    expect(passed()).toBe('')
    answer(switched)
    expect(passed()).toBe('\x81\x00GET / HTTP/1.1')
    ask('more')
    answer('HTTP? no')
    expect([passed(), said()]).toEqual(['more', `<upgraded>${switched}HTTP? no`])
  })

  test('an Upgrade behind other requests waits for their answers, and so does what follows it', () => {
    const { ask, answer, passed } = open()
    ask(get('', '/1') + get('', '/2') + get(upgrade, '/ws'))
    expect(passed()).toBe(sent('', '/1') + sent('', '/2'))
    ask('frame')
    answer(ok)
    expect(passed()).toBe('')
    answer(ok)
    expect(passed()).toBe(sent(upgrade, '/ws'))
    answer(switched)
    expect(passed()).toBe('frame')
  })

  test('an Upgrade that is answered as a request, and then another one that is granted', () => {
    const { ask, answer, passed } = open()
    ask(get(upgrade) + get('', '/next'))
    answer(ok)
    expect(passed()).toBe(sent(upgrade) + sent('', '/next'))
    answer(ok)
    ask(`${get(upgrade, '/ws')}frame`)
    answer(switched)
    expect(passed()).toBe(`${sent(upgrade, '/ws')}frame`)
  })

  test('an upstream that cannot be reached, or that ends without a word, is told on a page', () => {
    const refused = open()
    refused.ask(get('Accept: text/html\r\n'))
    expect(refused.gate.failed('upstream.refused')).toBe(true)
    expect(refused.said()).toMatch(/^HTTP\/1\.1 502 .*text\/html.*<end>$/s)
    const mute = open()
    mute.ask(get())
    mute.gate.end()
    expect(mute.said()).toMatch(/^HTTP\/1\.1 502 .*<end>$/s)
    const broken = open()
    broken.ask(get())
    broken.answer('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nh')
    broken.gate.resetBehind('stream.aborted')
    expect(broken.said()).toMatch(/h<reset behind stream\.aborted>$/)
    const early = open()
    expect(early.gate.failed('upstream.refused')).toBe(false)
  })

  test('passwords are asked for as at any http tunnel', () => {
    const { ask, said, passed } = open(locked)
    ask(get(good))
    expect(passed()).toBe(sent())
    const stranger = open(locked)
    stranger.ask(get())
    expect(stranger.said()).toMatch(/^HTTP\/1\.1 401 /)
    expect([stranger.passed(), said()]).toEqual(['<refused visitor.password>', ''])
  })

  test('a visitor that asks for nothing is let go after ten seconds, and a slow head gets a page', () => {
    const mute = open()
    mute.clock.advance(10_000)
    expect([mute.said(), mute.passed()]).toEqual(['<end>', '<refused http.head_deadline>'])
    const slow = open()
    slow.ask('GET / HTT')
    slow.clock.advance(9_999)
    // More bytes do not give it more time.
    slow.ask('P/1.1\r\nHost: ')
    slow.clock.advance(1)
    expect(slow.said()).toMatch(/^HTTP\/1\.1 408 .*PT-4010.*<end>$/s)
    const gone = open()
    gone.gate.onFin()
    expect(gone.said()).toBe('<end>')
  })

  test('a later head has ten seconds from its first byte, and is refused behind the answers before it', () => {
    const { ask, answer, said, clock } = open()
    ask(get())
    clock.advance(60_000)
    ask('GET /2 ')
    clock.advance(10_000)
    expect(said()).toBe('')
    answer(ok)
    expect(said()).toMatch(/hiHTTP\/1\.1 408 .*<end>$/s)
  })

  const idleMs = 5 * 75_000
  const post = 'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\n'
  test.each([
    ['an answered visitor that asks for no more', get(), ok, /hi<end>$/],
    ['an upstream that does not answer', get(), '', /^HTTP\/1\.1 504 .*PT-4017.*<end>$/s],
    ['an upstream that stops inside its answer', get(), ok.slice(0, -1), /h<reset behind stream\.aborted>$/],
  ])('nothing moves for minutes: %s', (_what, asked, answered, expected) => {
    for (const rules of [{ logins: [] }, { logins: [], responseHeaders: { set: { A: 'b' }, remove: [] } }]) {
      const { ask, answer, said, clock } = openGate(rules, { hostOfTls: 'a.test' })
      ask(asked)
      answer(answered)
      clock.advance(idleMs)
      expect(said()).toMatch(expected)
      clock.advance(idleMs)
      expect(clock.pending).toBe(0)
    }
  })

  test('a body that stalls is the visitor’s fault, unless the upstream takes nothing', () => {
    const slow = open()
    slow.ask(`${post}a`)
    slow.gate.consumed(slow.passed().length)
    slow.clock.advance(idleMs)
    expect(slow.said()).toContain('PT-4018')
    const full = open()
    full.ask(`${post}a`)
    full.clock.advance(idleMs)
    expect(full.said()).toContain('PT-4017')
  })

  test('bytes of a body or of an answer keep it open, and so does an Upgrade without any', () => {
    const { ask, said, clock } = open()
    ask(post)
    for (let n = 0; n < 3; n++) {
      ask('a')
      clock.advance(4 * 75_000)
    }
    expect(said()).toBe('')
    const socket = open()
    socket.ask(get(upgrade))
    socket.answer(switched)
    socket.clock.advance(10 * idleMs)
    expect([socket.said(), socket.clock.pending]).toEqual([`<upgraded>${switched}`, 0])
  })

  test('behind a relay that ended TLS, the relay alone keeps these times', () => {
    const { ask, said, clock } = openGate({ logins: [] })
    ask('GET / ')
    clock.advance(10 * idleMs)
    expect([said(), clock.pending]).toEqual(['', 0])
  })
})
