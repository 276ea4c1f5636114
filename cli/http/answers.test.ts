import { describe, expect, test } from 'vitest'
import { get, locked, ok, openGate } from '../testing/gate-rig.ts'
import type { RequestRules } from './pipeline.ts'

describe('answers that stages change', () => {
  const rules: RequestRules = {
    logins: [],
    responseHeaders: { remove: ['Server'], set: { 'X-Frame-Options': 'DENY' } },
    hsts: { maxAgeSeconds: 86_400, includeSubDomains: false },
  }
  const https = 'X-Forwarded-Proto: https\r\n'
  const edit = (text: string, isHttps = true) =>
    text
      .replaceAll('Server: x\r\n', '')
      .replaceAll(
        /(HTTP\/1\.1 [2-5][\s\S]*?\r\n)(\r\n)/g,
        `$1${isHttps ? 'Strict-Transport-Security: max-age=86400\r\n' : ''}X-Frame-Options: DENY\r\n$2`,
      )

  test('each final answer is changed, in any pieces, with any body; all else passes byte for byte', () => {
    const requests = get(https) + get(https).replace('GET', 'HEAD') + get(https).repeat(3)
    const answers = [
      'HTTP/1.1 103 Early Hints\r\nServer: y\r\n\r\nHTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 12\r\n\r\nServer: x\r\n\r\n'.slice(
        0,
        -1,
      ),
      'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nServer: x\r\n\r\n3;a=b\r\nabc\r\n0\r\nServer: z\r\n\r\n',
      'HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n',
      'HTTP/1.1 200 OK\r\nServer: x\r\n\r\nuntil its end: HTTP/1.1 200 OK\r\n\r\n',
    ]
    const head = 'Strict-Transport-Security: max-age=86400\r\nX-Frame-Options: DENY\r\n\r\n'
    const wanted = [
      'HTTP/1.1 103 Early Hints\r\nServer: y\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 12\r\n' +
        head +
        'Server: x\r\n\r',
      'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n' + head,
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n' + head + '3;a=b\r\nabc\r\n0\r\nServer: z\r\n\r\n',
      'HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n' + head,
      'HTTP/1.1 200 OK\r\n' + head + 'until its end: HTTP/1.1 200 OK\r\n\r\n',
    ].join('')
    const all = answers.join('')
    for (const size of [1, 7, all.length]) {
      const { ask, answer, gate, said } = openGate(rules)
      ask(requests)
      for (let at = 0; at < all.length; at += size) answer(all.slice(at, at + size))
      gate.end()
      expect(said()).toBe(`${wanted}<end>`)
    }
  })

  test("HSTS only over HTTPS, also in a redirect; the agent's own answers keep their other headers", () => {
    const plain = openGate(rules)
    plain.ask(get('X-Forwarded-Proto: http\r\n') + get())
    plain.answer(ok + ok)
    expect(plain.said()).toBe(edit(ok + ok, false))
    const moved = openGate({
      ...rules,
      host: 'b',
      origin: 'http://b',
      redirects: [{ from: '/old', to: '/new' }],
    })
    moved.ask(get(https, '/old'))
    expect(moved.said()).toMatch(/^HTTP\/1\.1 302 .*Strict-Transport-Security: max-age=86400\r\n\r\n<end>$/s)
    const own = openGate({ ...rules, logins: locked.logins })
    own.ask(get(https))
    expect(own.said()).toMatch(/^HTTP\/1\.1 401 [\s\S]*Strict-Transport/)
    own.ask('')
    expect(own.said()).not.toContain('X-Frame-Options')
  })

  test('a head that nobody can read is not sent: the visitor gets a page instead', () => {
    for (const bad of [
      'HTTP/1.1 200 OK\nServer: x\n\n',
      'HTTP/1.1 200 OK\r\nServer : x\r\nContent-Length: 0\r\n\r\n',
      'HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      'SSH-2.0-OpenSSH\r\n',
    ]) {
      const { ask, answer, said, passed } = openGate(rules)
      ask(get('Accept: text/html\r\n'))
      passed()
      answer(bad)
      const page = said()
      expect(page).toMatch(/^HTTP\/1\.1 502 .*PT-6058.*<\/html>\n<end>$/s)
      expect(page).not.toContain('Server')
      expect(passed()).toBe('<refused upstream.answer>')
      answer('more')
      expect(said()).toBe('')
    }
  })

  test('a head that ends in its middle is not sent either', () => {
    const { ask, answer, gate, said } = openGate(rules)
    ask(get() + get())
    answer(`${ok}HTTP/1.1 200 OK\r\nServer: x`)
    gate.end()
    expect(said()).toMatch(/hiHTTP\/1\.1 502 [\s\S]*<end>$/)
  })

  test('a body that breaks in its middle is cut behind what was sent, one that is cut short ends as it came', () => {
    const broken = openGate(rules)
    broken.ask(get())
    broken.answer('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdef')
    expect(broken.said()).toMatch(/<reset behind upstream\.answer>$/)
    const short = openGate(rules)
    short.ask(get())
    short.answer('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort')
    short.gate.end()
    expect(short.said()).toMatch(/\r\n\r\nshort<end>$/)
  })

  test('an upstream that speaks unasked ends a connection on which nothing is open', () => {
    const { ask, answer, said, passed } = openGate(rules)
    ask(get())
    passed()
    answer(`${ok}HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n`)
    expect(said()).toBe(`${edit(ok, false)}<end>`)
    expect(passed()).toBe('<answered>')
  })

  test('a slow visitor is heard of through held heads', () => {
    let isTaken = true
    const { ask, gate, stream } = openGate(rules)
    stream.write = () => isTaken
    ask(get())
    expect(gate.write(Buffer.from('HTTP/1.1 200 OK\r\nContent-'))).toBe(true)
    isTaken = false
    expect(gate.write(Buffer.from('Length: 2\r\n\r\nh'))).toBe(false)
  })

  test('an Upgrade: the switch is told first, then both ways pass untouched', () => {
    const { ask, answer, said, passed } = openGate(rules, { awaitsUpgrade: true })
    ask(get('Connection: Upgrade\r\nUpgrade: websocket\r\n'))
    passed()
    answer('HTTP/1.1 101 Switching Protocols\r\nServer: x\r\nUpgrade: websocket\r\n\r\n\x81')
    answer('Server: x\r\n')
    ask('\x82')
    expect(said()).toBe(
      '<upgraded>HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nX-Frame-Options: DENY\r\n\r\n\x81Server: x\r\n',
    )
    expect(passed()).toBe('\x82')
  })
})
