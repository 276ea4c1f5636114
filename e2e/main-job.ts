/**
 * The main job, end to end, written once for every platform: `describeMainJob('standalone', startStandaloneService)`.
 * All of it runs against one service, as users would share it.
 */
import { afterAll, beforeAll, describe } from 'vitest'
import type { Service, StartService } from './harness/service.ts'
import type { Context } from './suites/context.ts'
import { describeHealth } from './suites/health.ts'
import { describeHostile } from './suites/hostile.ts'
import { describeHttp } from './suites/http.ts'
import { describeOtherPrograms } from './suites/other-programs.ts'
import { describePool } from './suites/pool.ts'
import { describeProxyProtocol } from './suites/proxy-protocol.ts'
import { describeSurvival } from './suites/survival.ts'
import { describeTcp } from './suites/tcp.ts'
import { describeTls } from './suites/tls.ts'

export function describeMainJob(platform: string, startService: StartService): void {
  describe(`main job on ${platform}`, () => {
    let service: Service | undefined
    const context: Context = {
      get service() {
        if (!service) throw new Error('the service has not started')
        return service
      },
    }
    beforeAll(async () => {
      service = await startService()
    }, 90_000)
    afterAll(() => service?.stop())

    describeHttp(context)
    describeTcp(context)
    describeTls(context)
    describeOtherPrograms(context)
    describeProxyProtocol(context)
    describeHealth(context)
    describePool(context)
    describeHostile(context)
    describeSurvival(context)
  })
}
