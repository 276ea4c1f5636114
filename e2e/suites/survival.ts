/**
 * Failures that a tunnel survives: its agent's death, its relay's death, a control plane that answers nobody, a silent
 * network.
 */
import { rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Agent, agentHome, startAgent } from '../harness/agent.ts'
import { eventually, within } from '../harness/events.ts'
import { visit } from '../harness/http.ts'
import { callApi, visitorAddress } from '../harness/service.ts'
import { dial, type Listening, readBytes, readToEnd } from '../harness/sockets.ts'
import { type HttpUpstream, startEcho, startHttp } from '../harness/upstreams.ts'
import type { Context } from './context.ts'

export function describeSurvival(context: Context): void {
  describe('a tunnel survives', () => {
    let web: HttpUpstream
    let echo: Listening
    let home: string
    let agent: Agent
    const tunnels = () =>
      ({
        steady: { kind: 'http', upstream: web.port },
        wire: { kind: 'tcp', upstream: echo.port },
      }) as const

    beforeAll(async () => {
      ;[web, echo] = await Promise.all([startHttp(), startEcho()])
      home = agentHome()
      agent = await startAgent(context.service, tunnels(), { home })
      await Promise.all([agent.online('steady'), agent.online('wire')])
    })
    afterAll(async () => {
      await agent?.stop()
      await Promise.all([web?.close(), echo?.close()])
      rmSync(home, { recursive: true, force: true })
    })

    const answers = async (url: string) => {
      const { status } = await visit(context.service, `${url}/hello`)
      return status === 200 || undefined
    }

    test('kill -9 of its agent: the next start has the same endpoints', async () => {
      const before = await Promise.all([agent.online('steady'), agent.online('wire')])
      await agent.stop('SIGKILL')
      agent = await startAgent(context.service, tunnels(), { home })
      expect(await Promise.all([agent.online('steady'), agent.online('wire')])).toEqual(before)
      await eventually('visitors get in', () => answers(before[0]))
    })

    test('a relay that is killed: the agent is back at the same endpoints by itself', async () => {
      const before = await Promise.all([agent.online('steady'), agent.online('wire')])
      const from = agent.events.items.length
      await context.service.faults.killRelay()
      await agent.waitFor('relay.lost', { from })
      for (const relay of context.service.relays ?? ['r1'])
        await agent.events.waitFor((one) => one.event === 'relay.connected' && one.relay === relay, {
          what: `a session to ${relay}`,
          from,
        })
      const after = await Promise.all([agent.online('steady', from), agent.online('wire', from)])
      expect(after).toEqual(before)
      await eventually('visitors get in', () => answers(before[0]))
      const socket = await dial(visitorAddress(context.service, before[1]))
      const echoed = readBytes(socket, 5)
      socket.write('again')
      expect((await within(echoed, 'the echo')).toString()).toBe('again')
      socket.destroy()
    })

    test('a control plane that answers nobody: open connections go on and new visitors get in', async () => {
      const [url, tcp] = await Promise.all([agent.online('steady'), agent.online('wire')])
      const open = await dial(visitorAddress(context.service, tcp))
      const thaw = context.service.faults.freezeControlPlane()
      try {
        const asked = callApi(context.service, 'GET', '/v1/tunnels', undefined, 2_000)
        await expect(asked).rejects.toThrow('timeout')
        const echoed = readToEnd(open)
        open.end('still here')
        expect((await within(echoed, 'the echo')).toString()).toBe('still here')
        expect((await visit(context.service, `${url}/hello`)).body).toBe('hello')
        expect(web.requests.at(-1)?.url).toBe('/hello')
      } finally {
        thaw()
      }
      await eventually('the control plane answers again', () =>
        callApi(context.service, 'GET', '/v1/tunnels'),
      )
    })

    test('an agent that stops: visitors are told, and let in again when it is back', async () => {
      const url = await agent.online('steady')
      const exit = await agent.stop('SIGTERM')
      expect(exit.code).toBe(0)
      // The agent may have ended before each relay has noticed.
      await eventually('visitors are told', async () => {
        const { status, body } = await visit(context.service, url)
        return (status === 503 && body.includes('PT-4107')) || undefined
      })
      agent = await startAgent(context.service, tunnels(), { home })
      await agent.online('steady')
      await eventually('visitors get in', () => answers(url))
    })

    test('an agent that is stopped while a visitor is served lets the visitor finish', async () => {
      const socket = await dial(visitorAddress(context.service, await agent.online('wire')))
      const first = readBytes(socket, 4)
      socket.write('half')
      await within(first, 'the first half')
      agent.program.send('SIGTERM')
      await agent.waitFor('agent.draining')
      const second = readToEnd(socket)
      socket.end('done')
      expect((await within(second, 'the second half')).toString()).toBe('done')
      expect((await within(agent.program.exited, 'the agent ends')).code).toBe(0)
      agent = await startAgent(context.service, tunnels(), { home })
      await agent.online('wire')
    })
  })
}
