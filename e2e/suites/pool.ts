/** Several agents that serve one tunnel, each with a home of its own, as on different machines. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Agent, agentHome, privateFolders, ptun, startAgent } from '../harness/agent.ts'
import { eventually, within } from '../harness/events.ts'
import { visit } from '../harness/http.ts'
import { runProgram } from '../harness/programs.ts'
import { callApi } from '../harness/service.ts'
import { type HttpUpstream, startHttp } from '../harness/upstreams.ts'
import type { Context } from './context.ts'

const names = ['left', 'right'] as const
/** How many visitors are at work at any time. */
const lanes = 8

export function describePool(context: Context): void {
  describe('a pool of agents', () => {
    const home = agentHome()
    const homes = [home, agentHome()]
    let upstreams: readonly HttpUpstream[]
    let agents: readonly Agent[]
    let url: string

    beforeAll(async () => {
      upstreams = await Promise.all(
        names.map((name) => startHttp({ '/who': (_request, response) => void response.end(name) })),
      )
      agents = await Promise.all(
        upstreams.map(({ port }, at) =>
          startAgent(
            context.service,
            { pooled: { kind: 'http', upstream: port, pool: true } },
            { home: homes[at] ?? home },
          ),
        ),
      )
      const urls = await Promise.all(agents.map((agent) => agent.online('pooled')))
      expect(new Set(urls).size, 'one address').toBe(1)
      url = urls[0] ?? ''
    })
    afterAll(async () => {
      await Promise.all([
        ...(agents ?? []).map((agent) => agent.stop()),
        ...(upstreams ?? []).map((one) => one.close()),
      ])
    })

    const ask = async () => (await visit(context.service, `${url}/who`)).body

    test('visitors are spread over them, and ptun status names each', async () => {
      const answers = await Promise.all(Array.from({ length: 40 }, ask))
      for (const name of names)
        expect(answers.filter((one) => one === name).length).toBeGreaterThanOrEqual(10)
      // The tunnel is healthy for the control plane when a relay has reported it, a second after the first agent came.
      const stdout = await eventually('the tunnel is healthy', async () => {
        const { stdout: text } = await runProgram('node', [ptun, 'status'], {
          env: { ...privateFolders(home), PTUN_SERVER: context.service.api, PTUN_KEY: context.service.key },
        })
        return /pooled +http +Healthy +pool: 2/.test(text) ? text : undefined
      })
      expect(stdout.match(/pooled +agt_[0-9a-z]{26} +online/g)).toHaveLength(2)
    })

    test('one is killed under load: later visitors are served by the other', async () => {
      const [left] = agents
      let isOver = false
      let killedAtMs = Number.POSITIVE_INFINITY
      const failures: string[] = []
      const after: string[] = []
      const lane = async () => {
        while (!isOver) {
          const startedMs = performance.now()
          try {
            const body = await Promise.race([ask(), ended])
            if (startedMs > killedAtMs) after.push(body ?? '')
          } catch (error) {
            if (startedMs > killedAtMs) failures.push(String(error))
          }
        }
      }
      const end = Promise.withResolvers<undefined>()
      const ended = end.promise
      const load = Promise.all(Array.from({ length: lanes }, lane))
      await Promise.all(Array.from({ length: 40 }, ask))
      await left?.stop('SIGKILL')
      // The system has told the relay that the connection is gone; this request comes after that.
      expect(await ask()).toBe('right')
      killedAtMs = performance.now()
      while (after.length < 200) expect(await ask()).toBe('right')
      isOver = true
      end.resolve(undefined)
      await load
      expect(failures).toEqual([])
      expect(new Set(after.filter((body) => body !== ''))).toEqual(new Set(['right']))
    })

    test('one is stopped from afar: it ends at once, and serves again when somebody starts it', async () => {
      const [, right] = agents
      const started = await right?.waitFor('agent.started')
      const askedMs = performance.now()
      const answer = await callApi(context.service, 'POST', `/v1/agents/${started?.agent}/stop`)
      expect(answer).toEqual({ tunnels: ['pooled'] })
      expect(await within(right?.program.exited ?? Promise.reject(), 'it ends')).toMatchObject({ code: 5 })
      expect(performance.now() - askedMs, 'the bus brings it, not the next sync').toBeLessThan(10_000)
      const stopped = right?.events.items.find(({ event }) => event === 'tunnel.stopped')
      expect(stopped).toMatchObject({ problem: { code: 'PT-2900' } })
      const wanted = { kind: 'http', upstream: upstreams[1]?.port ?? 0, pool: true } as const
      const again = await startAgent(context.service, { pooled: wanted }, { home: homes[1] ?? home })
      agents = [...agents, again]
      expect(await again.online('pooled')).toBe(url)
      expect(await ask()).toBe('right')
    })
  })
}
