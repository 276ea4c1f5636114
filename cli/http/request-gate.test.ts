import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { describe, expect, test } from 'vitest'
import { get, good, locked, ok, openGate } from '../testing/gate-rig.ts'
import { Guesses } from './stages/guesses.ts'

describe('the gate in front of an upstream', () => {
  test('every request of a kept connection is changed, in any pieces, pipelined, with any body', () => {
    const requests = [
      get('', '/1'),
      'POST /2 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nGET /',
      'POST /3 HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n5\r\nGET /\r\n0\r\n\r\n',
      'HEAD /4 HTTP/1.1\r\nHost: a.test\r\n\r\n',
    ].join('')
    const wanted = requests.replaceAll('a.test', 'localhost:5173')
    for (const size of [1, 7, requests.length]) {
      const { ask, passed } = openGate({ logins: [], host: 'localhost:5173' })
      for (let at = 0; at < requests.length; at += size) ask(requests.slice(at, at + size))
      expect(passed()).toBe(wanted)
    }
  })

  test('a request without the password gets 401, and nothing of it passes, not even its body', () => {
    for (const fields of ['', good.replace('Basic', 'Bearer'), good + good]) {
      const { ask, said, passed, consumed } = openGate(locked)
      const request = `POST / HTTP/1.1\r\nHost: a.test\r\n${fields}Content-Length: 40\r\n\r\n`
      ask(request)
      expect(passed()).toBe('<refused visitor.password>')
      expect(said()).toMatch(
        /^HTTP\/1\.1 401 .*\r\nWWW-Authenticate: Basic realm="web", charset="UTF-8"\r\n.*<end>$/s,
      )
      ask(get(good))
      expect(passed() + said()).toBe('')
      expect(consumed()).toBe(request.length + get(good).length)
    }
  })

  test('a later request without the password is refused after the answers to earlier ones', () => {
    const { ask, answer, said, passed } = openGate(locked)
    ask(get(good))
    expect(passed()).toBe(get())
    ask(get() + get(good))
    answer('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh')
    expect(said()).not.toContain('401')
    answer('i')
    expect(said()).toMatch(/^iHTTP\/1\.1 401 .*<end>$/s)
    expect(passed()).toBe('<refused visitor.password>')
  })

  test('the refusal follows at once when earlier answers are complete, and silence does not count as that', () => {
    const complete = openGate(locked)
    complete.ask(get(good) + get(good) + get())
    complete.answer(`${ok.replace('\r\n', `\r\nA: ${'b'.repeat(100_000)}\r\n`)}${ok}`)
    expect(complete.said()).toMatch(/hiHTTP\/1\.1 401 .*<end>$/s)
    const endless = openGate(locked)
    endless.ask(get(good) + get())
    endless.answer('HTTP/1.1 200 OK\r\n\r\nas long as it lasts')
    const mute = openGate(locked)
    mute.ask(get(good) + get())
    for (const { clock, said } of [endless, mute]) {
      clock.advance(3_600_000)
      expect(said()).not.toContain('401')
      expect(clock.pending).toBe(0)
    }
  })

  test('nothing follows an answer whose end nobody can tell, and nobody waits', () => {
    const { ask, answer, said } = openGate(locked)
    ask(get(good))
    answer(`${ok}\r\n`)
    ask(get())
    expect(said()).toBe(`${ok}\r\n<end>`)
  })

  test('nothing follows an answer that says "close" (RFC 9112 9.6)', () => {
    const { ask, answer, said } = openGate(locked)
    ask(get(good) + get())
    answer(ok.replace('\r\n', '\r\nConnection: close\r\n'))
    expect(said()).toMatch(/hi<end>$/)
  })

  test('nothing follows an answer that ends with its connection', () => {
    const { ask, answer, gate, said } = openGate(locked)
    ask(get(good) + get())
    answer('HTTP/1.0 200 OK\r\n\r\nall')
    gate.end()
    expect(said()).toBe('HTTP/1.0 200 OK\r\n\r\nall<end>')
  })

  test('a refused visitor that does not leave is cut off', () => {
    const { ask, clock, said, passed } = openGate(locked)
    ask(get())
    said()
    passed()
    clock.advance(5_000)
    expect(said()).toBe('<reset visitor.password>')
    expect(passed()).toBe('<over visitor.password>')
    expect(clock.pending).toBe(0)
  })

  test('a redirect follows the answers to earlier requests, and nothing of its request passes', () => {
    const { ask, answer, said, passed } = openGate({
      logins: [],
      redirects: [{ from: '/old/*', to: '/new/*' }],
    })
    ask(get() + get('', '/old/a?b=c') + get('', '/later'))
    expect(passed()).toBe(get())
    answer(ok)
    expect(said()).toBe(
      `${ok}HTTP/1.1 302 Found\r\nLocation: /new/a?b=c\r\nContent-Length: 0\r\nConnection: close\r\n\r\n<end>`,
    )
    expect(passed()).toBe('<answered>')
  })

  test('HEAD is refused without a body', () => {
    const { ask, said } = openGate(locked)
    ask('HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n')
    expect(said()).toMatch(/\r\n\r\n<end>$/)
  })

  test('after ten wrong passwords the right one has to wait, and looks like a wrong one', () => {
    const guesses = new Guesses(new FakeClock())
    for (let i = 0; i < 10; i++) guesses.count('192.0.2.1')
    const { ask, said, passed } = openGate(locked, { guesses })
    ask(get(good))
    expect(said()).toMatch(/^HTTP\/1\.1 429 .*Retry-After: 60\r\n/s)
    expect(passed()).toBe('<refused visitor.guesses>')
  })

  test('an Upgrade: what follows waits for the answer, then passes untouched', () => {
    const upgrade = get(`Connection: Upgrade\r\nUpgrade: websocket\r\n${good}`)
    const { ask, answer, said, passed, consumed } = openGate(locked, { awaitsUpgrade: true })
    ask(upgrade)
    expect(passed()).toBe(upgrade.replace(good, ''))
    ask('\x81\x00raw')
    expect(passed()).toBe('')
    answer('HTTP/1.1 103 Early Hints\r\n\r\n')
    answer('HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x01')
    expect(passed()).toBe('\x81\x00raw')
    expect(said()).toMatch(/^HTTP.*<upgraded>HTTP\/1\.1 101/s)
    ask('GET / HTTP/1.1\r\n')
    answer('\x82')
    expect(passed() + said()).toBe('GET / HTTP/1.1\r\n\x82')
    expect(consumed()).toBeLessThanOrEqual(upgrade.length)
  })

  test('an Upgrade that is answered as a request: later requests are still checked', () => {
    const upgrade = get(`Connection: Upgrade\r\nUpgrade: websocket\r\n${good}`)
    const { ask, answer, said, passed } = openGate(locked, { awaitsUpgrade: true })
    ask(upgrade + get())
    answer(ok)
    expect(said()).toMatch(/^<plain>HTTP\/1\.1 200 .*401/s)
    expect(passed()).toBe(`${upgrade.replace(good, '')}<refused visitor.password>`)
  })

  test('a protocol switch that the relay does not know of is no way past', () => {
    const { ask, answer, said, passed } = openGate(locked)
    ask(get(good))
    ask(get(`Connection: Upgrade\r\nUpgrade: websocket\r\n${good}`))
    passed()
    answer('HTTP/1.1 101 Switching Protocols\r\n\r\n')
    ask('\x81\x00')
    expect(said()).toContain('<reset http.request_line>')
    expect(passed()).toBe('<over http.request_line>')
  })

  test('credit: every byte is credited once the upstream took it, whether heads grew or shrank', () => {
    for (const host of ['b', 'a-very-much-longer-name.example.com:65535']) {
      const { ask, passed, consumed, gate } = openGate({ ...locked, host })
      const request = `POST / HTTP/1.1\r\nHost: a.test\r\n${good}Content-Length: 1000\r\n\r\n${'x'.repeat(1_000)}`
      const all = request.repeat(3)
      ask(all.slice(0, 20))
      // A head is kept here, so that one longer than the window can be completed.
      expect(consumed()).toBe(20)
      ask(all.slice(20))
      expect(consumed()).toBeLessThan(all.length)
      for (let left = passed().length; left > 0; left -= 100) {
        gate.consumed(Math.min(100, left))
        expect(consumed()).toBeLessThanOrEqual(all.length)
      }
      expect(consumed()).toBe(all.length)
    }
  })
})
