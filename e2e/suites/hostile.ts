/**
 * Hostile input to an http endpoint and to the relay's agent port. Each is answered with a code, and a connection that
 * was open before the first of them is still open after the last.
 */
import type { Socket } from 'node:net'
import { claimResultSchema, type Lease, type RelayAddress } from '@porttunneler/shared/api/schemas/tunnels'
import { FrameType } from '@porttunneler/shared/protocol/frames'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Agent, startAgent } from '../harness/agent.ts'
import { within } from '../harness/events.ts'
import { visit } from '../harness/http.ts'
import { dialRaw, frame, helloFrame } from '../harness/raw-agent.ts'
import { callApi, visitorAddress } from '../harness/service.ts'
import { dial, type Listening, readBytes, readToEnd } from '../harness/sockets.ts'
import { type HttpUpstream, startEcho, startHttp } from '../harness/upstreams.ts'
import type { Context } from './context.ts'
import { frameCases, requestCases, ticketCases } from './hostile-cases.ts'

export function describeHostile(context: Context): void {
  describe('hostile input', () => {
    let web: HttpUpstream
    let echo: Listening
    let agent: Agent
    let url: string
    let witness: Socket

    beforeAll(async () => {
      ;[web, echo] = await Promise.all([startHttp(), startEcho()])
      agent = await startAgent(context.service, {
        target: { kind: 'http', upstream: web.port },
        witness: { kind: 'tcp', upstream: echo.port },
      })
      url = await agent.online('target')
      witness = await dial(visitorAddress(context.service, await agent.online('witness')))
    })
    afterAll(async () => {
      witness?.destroy()
      await agent?.stop()
      await Promise.all([web?.close(), echo?.close()])
    })

    test.each(requestCases)(
      'http: $name is answered with $status and never reaches the upstream',
      async (one) => {
        const before = web.requests.length
        const socket = await dial(visitorAddress(context.service, url))
        const answer = readToEnd(socket)
        socket.write(one.bytes(new URL(url).host))
        const text = (await within(answer, 'the answer')).toString('latin1')
        const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))
        expect(statuses.at(-1)).toBe(one.status)
        expect(text).toMatch(/PT-4\d{3}/)
        expect(web.requests.slice(before).map((request) => request.url)).toEqual(one.reaches ?? [])
        socket.destroy()
      },
    )

    describe('at the agent port', () => {
      let relay: RelayAddress
      let lease: Lease

      beforeAll(async () => {
        const claim = { agent: 'agt_00000000000000000000000000', tunnels: [{ name: 'forged', kind: 'tcp' }] }
        const answer = claimResultSchema.parse(await callApi(context.service, 'POST', '/v1/leases', claim))
        const [result] = answer.results
        const [address] = answer.relays
        if (!result || !('lease' in result) || !address) throw new Error('the claim was refused')
        lease = result.lease
        relay = address
      })

      test.each(frameCases)('$name ends the session with $code', async ({ send, code }) => {
        const raw = await dialRaw(relay)
        await raw.hello(lease.ticket)
        raw.send(send)
        expect(await raw.refusal()).toBe(code)
        await within(raw.closed, 'the end of the session')
      })

      test.each(ticketCases)('HELLO with $name is refused', async ({ forge }) => {
        const raw = await dialRaw(relay)
        raw.send(helloFrame(await forge(lease.ticket)))
        expect(await raw.refusal()).toBe('PT-3012')
        await within(raw.closed, 'the end of the connection')
      })

      test.each(ticketCases)('BIND with $name is refused', async ({ forge }) => {
        const raw = await dialRaw(relay)
        await raw.hello(lease.ticket)
        const body = { bind: 1, ticket: await forge(lease.ticket) }
        raw.send(frame(FrameType.bind, Buffer.from(JSON.stringify(body))))
        expect(await raw.refusal()).toBe('PT-3012')
        raw.close()
      })

      test('a frame before HELLO is refused', async () => {
        const raw = await dialRaw(relay)
        raw.send(frame(FrameType.ping, Buffer.alloc(8)))
        await within(raw.closed, 'the end of the connection')
        expect(raw.frames.items.some(({ type }) => type === FrameType.welcome)).toBe(false)
      })

      test('silence instead of HELLO is cut off', async () => {
        const raw = await dialRaw(relay)
        await within(raw.closed, 'the end of the connection')
      })
    })

    test('a visitor that was connected before all this is still connected', async () => {
      const echoed = readBytes(witness, 7)
      witness.write('present')
      expect((await within(echoed, 'the echo')).toString()).toBe('present')
      expect((await visit(context.service, `${url}/hello`)).body).toBe('hello')
    })
  })
}
