/** Which hosts a relay answers challenges for, although the cell has a wildcard. */
import { expect, test } from 'vitest'
import { asksForChallenge, isUnder } from './challenges.ts'

test('challenge: names that the wildcard does not have are answered for, end-to-end names among them', () => {
  const domain = 'tunnels.test'
  const hosts = [`shop.${domain}`, `shop.e2e.${domain}`, domain, 'app.example.com', `shop.my${domain}`]
  expect(hosts.filter((host) => isUnder(host, domain))).toEqual([`shop.${domain}`])
})

test('challenge: only a GET of the path with one token asks for it', () => {
  const asks = (line: string) => asksForChallenge(Buffer.from(`${line} HTTP/1.1\r\nHost: a\r\n\r\n`))
  expect(asks('GET /.well-known/acme-challenge/tok-en_1')).toBe(true)
  expect(asks('GET http://a.example/.well-known/acme-challenge/token')).toBe(true)
  for (const line of ['POST /.well-known/acme-challenge/t', 'GET /.well-known/acme-challenge/', 'GET /a/b'])
    expect(asks(line)).toBe(false)
})
