import { describe, expect, test } from 'vitest'
import { headOf, requestThrough } from '../../testing/stage-rig.ts'
import { hostStage } from './host.ts'

const edit = ({ host, origin }: { host: string; origin?: string }, ...lines: readonly string[]) =>
  requestThrough([hostStage(host, origin)], headOf(...lines))

describe('another Host for the upstream', () => {
  test('the Host is replaced where it stands, and the public one stays in X-Forwarded-Host', () => {
    const edits = { host: 'localhost:5173' }
    expect(
      edit(
        edits,
        'GET / HTTP/1.1',
        'A: b',
        'HOST:a.test',
        'Origin: http://a.test',
        'X-Forwarded-Host: a.test',
      ),
    ).toEqual([
      'GET / HTTP/1.1',
      'A: b',
      'HOST:localhost:5173',
      'Origin: http://a.test',
      'X-Forwarded-Host: a.test',
    ])
  })

  test.each([
    ['GET http://a.test/x?y HTTP/1.1', 'GET /x?y HTTP/1.1'],
    ['GET HTTP://A.test HTTP/1.1', 'GET / HTTP/1.1'],
    ['GET http://a.test?q HTTP/1.1', 'GET /?q HTTP/1.1'],
    ['OPTIONS http://a.test HTTP/1.1', 'OPTIONS * HTTP/1.1'],
    ['OPTIONS * HTTP/1.1', 'OPTIONS * HTTP/1.1'],
    ['GET /http://a.test/ HTTP/1.1', 'GET /http://a.test/ HTTP/1.1'],
  ])('RFC 9112 3.2.2: an absolute target does not outweigh the new Host: %s', (line, wanted) => {
    expect(edit({ host: 'b' }, line, 'Host: a.test')).toEqual([wanted, 'Host: b'])
  })

  test('an HTTP/1.0 head without Host gets one instead of its absolute target', () => {
    expect(edit({ host: 'b' }, 'GET http://a.test/x HTTP/1.0', 'A: c')).toEqual([
      'GET /x HTTP/1.0',
      'A: c',
      'Host: b',
    ])
  })

  test("the tunnel's own origin becomes the upstream's; and no other origin does", () => {
    const edits = { host: 'localhost:3000', origin: 'http://localhost:3000' }
    const fields = (origin: string, referer: string) =>
      edit(
        edits,
        'POST / HTTP/1.1',
        'Host: shop.test:8480',
        `Origin: ${origin}`,
        `Referer: ${referer}`,
        'X-Forwarded-For: 192.0.2.1',
        'X-Forwarded-Host: shop.test:8480',
        'X-Forwarded-Proto: https',
      ).slice(2)
    expect(fields('https://Shop.test:8480', 'https://shop.test:8480/cart?x=http://shop.test:8480/')).toEqual([
      'Origin: http://localhost:3000',
      'Referer: http://localhost:3000/cart?x=http://shop.test:8480/',
      'X-Forwarded-For: 192.0.2.1',
    ])
    for (const foreign of [
      'https://evil.test',
      'https://shop.test:8480.evil.test',
      'https://shop.test',
      'null',
    ])
      expect(fields(foreign, `${foreign}/`).slice(0, 2)).toEqual([
        `Origin: ${foreign}`,
        `Referer: ${foreign}/`,
      ])
  })
})
