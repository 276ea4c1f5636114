/** The API in this process with one person and their key, at a real port, for a fuzzer of HTTP. */
import { systemClock } from '@porttunneler/shared/base/clock'
import { makeTestApi } from '../../standalone/testing/api.ts'
import { listen } from '../../standalone/web-server.ts'

/** More requests a minute than a fuzzer sends. */
const noRates = { perCaller: 1_000_000, perAddress: 1_000_000 }

export async function serveApi() {
  const t = await makeTestApi({ rates: noRates })
  const server = await listen((request, env) => t.app.fetch(request, env), {
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
  })
  return {
    url: `http://127.0.0.1:${server.port}`,
    key: t.adminKey,
    /** The token of a person, who may do what keys may not. */
    token: t.ada,
    close: async () => {
      await server.close(0)
      await t.close()
    },
  }
}
