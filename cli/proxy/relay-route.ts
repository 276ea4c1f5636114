/** The agent's way to relays: direct, or through the proxy that the environment or ptun.yaml names. */
import { isFailure } from '@porttunneler/shared/base/errors'
import { connectTls } from '@porttunneler/shared/mux/connect-tls'
import type { ChooseProxy } from './settings.ts'

/** Used instead of `connectTls`. @throws the same, and proxy.* */
export function relayRoute(choose: ChooseProxy): typeof connectTls {
  return async (address, options) => {
    const proxy = choose({ ...address, isEncrypted: true })
    if (!proxy) return connectTls(address, options)
    const { connectThrough, interceptionFailure } = await import('./connect.ts')
    const socket = await connectThrough(proxy, address, options)
    try {
      return await connectTls(address, { ...options, socket })
    } catch (error) {
      socket.destroy()
      if (isFailure(error, 'relay.identity')) throw interceptionFailure(proxy, address, causeOf(error))
      throw error
    }
  }
}

function causeOf(error: Error): Error {
  return error.cause instanceof Error ? error.cause : new Error('it does not speak the protocol of relays')
}
