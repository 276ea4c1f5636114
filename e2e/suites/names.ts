/** Names and ports that the account keeps, with `ptun` on each platform: kept, moved under visitors, released. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type Agent, agentHome, privateFolders, ptun, startAgent } from '../harness/agent.ts'
import { eventually } from '../harness/events.ts'
import { visit } from '../harness/http.ts'
import { runProgram } from '../harness/programs.ts'
import { type HttpUpstream, startHttp } from '../harness/upstreams.ts'
import type { Context } from './context.ts'

const keptSchema = z.object({ event: z.string(), url: z.string(), state: z.string() })

export function describeNames(context: Context): void {
  describe('names and ports that are kept', () => {
    const upstreams: HttpUpstream[] = []
    const home = agentHome()
    let agent: Agent | undefined

    beforeAll(async () => {
      for (const says of ['first', 'second'])
        upstreams.push(await startHttp({ '/': (_request, response) => response.end(says) }))
    })
    afterAll(async () => {
      await agent?.stop()
      for (const upstream of upstreams) await upstream.close()
    })

    async function run(...words: string[]) {
      const { api, key } = context.service
      const env = { ...privateFolders(home), PTUN_SERVER: api, PTUN_KEY: key }
      const { exit, stdout } = await runProgram('node', [ptun, ...words, '--json'], { env })
      return { code: exit.code, told: JSON.parse(stdout) as unknown }
    }
    /** Each relay learns of a change by itself, so visitors may still meet one that has not. */
    const leadsTo = (url: string, what: string) =>
      eventually(`${url} leads to the ${what}`, async () => {
        const { body } = await visit(context.service, url)
        return body === what || undefined
      })

    test('a name goes to another tunnel under its visitors, and a port is served where it was kept', async () => {
      const name = await run('names', 'reserve', 'kept-name')
      const { url } = keptSchema.parse(name.told)
      const port = new URL(keptSchema.parse((await run('ports', 'reserve')).told).url).port
      const [first, second] = upstreams.map((upstream) => upstream.port)
      agent = await startAgent(context.service, {
        'kept-name': { kind: 'http', upstream: first ?? 0 },
        'kept-next': { kind: 'http', upstream: second ?? 0 },
        'kept-port': { kind: 'tcp', upstream: first ?? 0, port: Number(port) },
      })
      expect(await agent.online('kept-name')).toBe(url)
      await leadsTo(url, 'first')
      expect(new URL(await agent.online('kept-port')).port).toBe(port)
      await leadsTo(await agent.online('kept-next'), 'second')

      expect((await run('names', 'move', 'kept-name', '--tunnel', 'kept-next')).code).toBe(0)
      await leadsTo(url, 'second')
      const { problem } = await agent.waitFor('tunnel.stopped', { tunnel: 'kept-name' })
      expect(problem).toMatchObject({ code: 'PT-2310' })

      expect((await run('names', 'release', 'kept-name', '--yes')).code).toBe(0)
      expect((await run('ports', 'release', port, '--yes')).code).toBe(0)
      await leadsTo(url, 'second')
    })
  })
}
