/** Tunnels to upstreams that speak HTTP/2, each closed after its test. */
import type { Http2Server, ServerOptions } from 'node:http2'
import { codes } from '@porttunneler/shared/base/errors'
import { afterEach } from 'vitest'
import { http2Rig, http2Server, type Rig } from './http2-rig.ts'
import { rawRig } from './raw-http2.ts'

/** An answer that is the page of this failure. */
export const pageOf = (key: keyof typeof codes) => new RegExp(`^HTTP/1\\.1 50\\d [\\s\\S]*${codes[key].code}`)

type Wanted = Partial<Parameters<typeof http2Rig>[0]>

export function useRigs() {
  const closers: (() => void)[] = []
  afterEach(() => {
    for (const close of closers.splice(0)) close()
  })
  const to = (port: number, close: () => void, wanted: Wanted = {}) => {
    const rig = http2Rig({ upstream: { host: '127.0.0.1', port }, ...wanted })
    closers.push(() => {
      rig.desk.close()
      close()
    })
    return rig
  }
  return {
    /** To whatever listens on this port; `close` ends it. */
    to,
    /** To an upstream that sends the frames that a test wants. */
    async raw(...options: Parameters<typeof rawRig>): ReturnType<typeof rawRig> {
      const rig = await rawRig(...options)
      closers.push(rig.close)
      return rig
    },
    /** To a server of Node's, without TLS. */
    async serving(
      serve: Parameters<typeof http2Server>[0],
      { server: options, ...wanted }: { server?: ServerOptions } & Wanted = {},
    ): Promise<Rig & { server: Http2Server }> {
      const { server, port } = await http2Server(serve, options)
      return { ...to(port, () => server.close(), wanted), server }
    },
  }
}
