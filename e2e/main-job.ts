/**
 * The main job, end to end, written once for every platform: `describeMainJob('standalone', startStandaloneService)`.
 * All of it runs against one service, as users would share it.
 */
import { afterAll, beforeAll, describe } from 'vitest'
import type { Service, StartService } from './harness/service.ts'
import { describeAccounts } from './suites/accounts.ts'
import type { Context } from './suites/context.ts'
import { describeHealth } from './suites/health.ts'
import { describeHostile } from './suites/hostile.ts'
import { describeHostileApi } from './suites/hostile-api.ts'
import { describeHttp } from './suites/http.ts'
import { describeNames } from './suites/names.ts'
import { describeOtherPrograms } from './suites/other-programs.ts'
import { describePool } from './suites/pool.ts'
import { describeProxyProtocol } from './suites/proxy-protocol.ts'
import { describeReleaseSmoke } from './suites/release-smoke.ts'
import { describeSurvival } from './suites/survival.ts'
import { describeTcp } from './suites/tcp.ts'
import { describeTls } from './suites/tls.ts'

/** In the order in which they run. */
const suites = {
  http: describeHttp,
  tcp: describeTcp,
  tls: describeTls,
  otherPrograms: describeOtherPrograms,
  proxyProtocol: describeProxyProtocol,
  health: describeHealth,
  pool: describePool,
  names: describeNames,
  accounts: describeAccounts,
  hostileApi: describeHostileApi,
  hostile: describeHostile,
  releaseSmoke: describeReleaseSmoke,
  survival: describeSurvival,
} as const
export type SuiteName = keyof typeof suites
export const allSuites = Object.keys(suites) as readonly SuiteName[]

export type MainJobOptions<S extends Service> = {
  readonly suites?: readonly SuiteName[]
  /** Tests of this platform alone, against the same service. */
  readonly further?: (context: Context<S>) => void
}

export function describeMainJob<S extends Service>(
  platform: string,
  startService: StartService<S>,
  { suites: chosen = allSuites, further }: MainJobOptions<S> = {},
): void {
  describe(`main job on ${platform}`, () => {
    let service: S | undefined
    const context: Context<S> = {
      get service() {
        if (!service) throw new Error('the service has not started')
        return service
      },
    }
    beforeAll(async () => {
      service = await startService()
    })
    afterAll(() => service?.stop())

    for (const name of allSuites) if (chosen.includes(name)) suites[name](context)
    further?.(context)
  })
}
