/** A clock that is years off shows first in TLS: the message must lead people to the clock. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:tls'
import { makeClient } from '@porttunneler/shared/api/client'
import { systemClock } from '@porttunneler/shared/base/clock'
import { alpn, connectTls } from '@porttunneler/shared/mux/connect-tls'
import { expect, test } from 'vitest'
import { makeSelfSigned } from './self-signed.ts'

const yearsMs = 20 * 365 * 86_400_000

test.each([
  ['behind', yearsMs],
  ['ahead', -yearsMs],
])(
  'a clock that is 20 years %s of the relay is reported as a wrong clock, not a proxy',
  async (_title, offsetMs) => {
    const sni = 'r1.relay.localhost'
    const { certificate, key } = await makeSelfSigned([sni], Date.now() + offsetMs)
    const server = createServer({ cert: certificate, key: key.reveal(), ALPNProtocols: [alpn] })
    server.on('tlsClientError', () => {
      // The agent closes the connection.
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const { signal } = new AbortController()
    const dial = connectTls({ host: '127.0.0.1', port, sni, certificate }, { clock: systemClock, signal })
    await expect(dial).rejects.toMatchObject({
      key: 'relay.validity',
      detail: expect.stringContaining(`the clock of this machine says ${new Date().getUTCFullYear()}`),
      entry: { cure: expect.stringMatching(/clock/) },
    })
    server.close()
  },
)

test.each(['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED'])(
  '%s from the server is reported as a wrong clock',
  async (code) => {
    for (const error of [
      Object.assign(new Error(code), { code }),
      new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) }),
    ]) {
      const client = makeClient({ baseUrl: 'https://api.test', fetch: () => Promise.reject(error) })
      await expect(client.config()).rejects.toMatchObject({ key: 'server.validity' })
    }
  },
)
