/** An agent reports the health of an upstream that it checks, and a sick upstream keeps its tunnel. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Agent, agentHome, privateFolders, ptun, startAgent } from '../harness/agent.ts'
import { eventually } from '../harness/events.ts'
import { visit } from '../harness/http.ts'
import { runProgram } from '../harness/programs.ts'
import { type HttpUpstream, startHttp } from '../harness/upstreams.ts'
import type { Context } from './context.ts'

export function describeHealth(context: Context): void {
  describe('health check', () => {
    const home = agentHome()
    let status = 204
    let upstream: HttpUpstream
    let agent: Agent

    beforeAll(async () => {
      upstream = await startHttp({
        '/healthz': (_request, response) => void response.writeHead(status).end(),
      })
      const health = { kind: 'http', path: '/healthz', everySeconds: 1 } as const
      agent = await startAgent(
        context.service,
        { checked: { kind: 'http', upstream: upstream.port, health } },
        { home },
      )
    })
    afterAll(async () => {
      await agent?.stop()
      await upstream?.close()
    })

    async function run(folder: string, verb: string): Promise<string> {
      const { api, key } = context.service
      const env = { ...privateFolders(folder), PTUN_SERVER: api, PTUN_KEY: key }
      return (await runProgram('node', [ptun, verb], { env })).stdout
    }

    /** The server has heard of it from the agent, and says it to whoever asks. */
    const said = (folder: string, words: RegExp) =>
      eventually(`ptun list says ${words}`, async () => words.test(await run(folder, 'list')) || undefined)

    test('a sick upstream is reported and stays reachable; its recovery is reported too', async () => {
      const url = await agent.online('checked')
      await agent.waitFor('upstream.healthy', { tunnel: 'checked' })
      status = 500
      const sick = await agent.waitFor('upstream.unhealthy', { tunnel: 'checked' })
      expect(sick.problem).toMatchObject({
        code: 'PT-6046',
        detail: `localhost:${upstream.port} answered 500 to GET /healthz`,
      })
      expect(await visit(context.service, `${url}/hello`)).toMatchObject({ status: 200, body: 'hello' })
      const from = agent.events.items.length
      // The agent says so at once, the control plane when it has heard of it.
      const told = await eventually('ptun status says it', async () => {
        const stdout = await run(home, 'status')
        return /checked +Upstream failing/.test(stdout) ? stdout : undefined
      })
      expect(told).toContain('PT-6046')
      await said(home, /checked +http +Upstream failing[\s\S]*PT-6046[\s\S]*health check/)
      status = 204
      await agent.waitFor('upstream.healthy', { tunnel: 'checked', from })
      await said(home, /checked +http +Healthy/)
      expect(await run(home, 'doctor')).toMatch(
        /1 of 1 tunnels online[\s\S]*relay of [\s\S]*Everything works/,
      )
    })
  })
}
