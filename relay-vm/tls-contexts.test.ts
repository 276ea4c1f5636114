/** TLS contexts of a relay: as many as the limit, those that go at once, and no handshake that notices. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createSecureContext, createServer, type TLSSocket } from 'node:tls'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { makeSelfSigned } from './self-signed.ts'
import { TlsContexts } from './tls-contexts.ts'

const options = { minVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' } as const

async function pairFor(host: string) {
  const { certificate: cert, key } = await makeSelfSigned([host], Date.now())
  return { cert, key: key.reveal() }
}

afterEach(() => vi.restoreAllMocks())

describe('TLS contexts', () => {
  test('those beyond the limit go, the one unused longest first, and are closed at once', async () => {
    const closing = vi.spyOn(Object.getPrototypeOf(createSecureContext().context), 'close')
    const pair = await pairFor('a.test')
    const contexts = new TlsContexts<string>(options, 2)
    contexts.make('a', pair)
    contexts.make('b', pair)
    expect(contexts.use('a')).toBeDefined()
    contexts.make('c', pair)
    expect(['a', 'b', 'c'].map((name) => contexts.has(name))).toEqual([true, false, true])
    expect(closing).toHaveBeenCalledTimes(1)
    contexts.move('a', 'd')
    expect(contexts.has('d')).toBe(true)
    contexts.clear()
    expect(closing).toHaveBeenCalledTimes(3)
    expect(contexts.has('c')).toBe(false)
  })

  test('an unusable pair is an error, and takes no place', async () => {
    const [a, b] = [await pairFor('a.test'), await pairFor('b.test')]
    const contexts = new TlsContexts<string>(options, 2)
    expect(() => contexts.make('a', { cert: a.cert, key: b.key })).toThrow()
    expect(contexts.has('a')).toBe(false)
  })

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'a context that goes in the middle of a handshake by %s ends neither that nor an open connection',
    async (version) => {
      const pair = await pairFor('a.test')
      const contexts = new TlsContexts<string>(options, 1)
      const server = createServer({
        SNICallback: (_name, done) => {
          contexts.make('a', pair)
          done(null, contexts.use('a'))
          // Another name takes its place while the client has yet to answer.
          contexts.make('b', pair)
        },
      })
      const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      const address = { port, host: '127.0.0.1', servername: 'a.test', ca: pair.cert }
      const client = connect({ ...address, minVersion: version, maxVersion: version })
      await once(client, 'secureConnect')
      const [socket] = await accepted
      contexts.clear()
      socket.end('after all')
      const [data] = (await once(client, 'data')) as [Buffer]
      expect(data.toString()).toBe('after all')
      client.destroy()
      server.close()
    },
  )
})
