/** A cell of two relays, one of which dies under load: new visitors are served by the other. */
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Agent, startAgent } from '../harness/agent.ts'
import type { CloudService } from '../harness/cloud.ts'
import { eventually, within } from '../harness/events.ts'
import { visit } from '../harness/http.ts'
import { type Service, visitorAddress } from '../harness/service.ts'
import { dial, endOf, type Listening, readBytes } from '../harness/sockets.ts'
import { type HttpUpstream, startEcho, startHttp } from '../harness/upstreams.ts'
import type { Context } from './context.ts'

/** With this many streams, all of them meet the same relay once in 2^23 runs. */
const streams = 24
const visitors = 4

export function describeTwoRelays(context: Context<CloudService>): void {
  describe('a cell of two relays', () => {
    let web: HttpUpstream
    let echo: Listening
    let agent: Agent

    beforeAll(async () => {
      ;[web, echo] = await Promise.all([startHttp(), startEcho()])
      agent = await startAgent(context.service, {
        both: { kind: 'http', upstream: web.port },
        'both-tcp': { kind: 'tcp', upstream: echo.port },
      })
      for (const relay of ['r1', 'r2'])
        await agent.events.waitFor((one) => one.event === 'relay.connected' && one.relay === relay, {
          what: `a session to ${relay}`,
        })
    })
    afterAll(async () => {
      await agent?.stop()
      await Promise.all([web?.close(), echo?.close()])
    })

    test('one is killed: its streams end, the others go on, every new visitor is served', async () => {
      const address = visitorAddress(context.service, await agent.online('both-tcp'))
      await eventually('both relays listen', () => listenersAt(address.port) === 2 || undefined)
      const open = await Promise.all(Array.from({ length: streams }, () => dial(address)))
      await Promise.all(open.map((socket) => echoes(socket)))
      const load = startVisits(context.service, `${await agent.online('both')}/hello`)
      await load.reached(50)
      const from = agent.events.items.length
      const ended = new Set<Socket>()
      const ends = open.map((socket) => endOf(socket.resume()).then(() => ended.add(socket)))
      await context.service.killOneRelay()
      const anew = load.sent
      await agent.waitFor('relay.lost', { from })
      await Promise.any(ends)
      await agent.waitFor('relay.connected', { from })
      await load.reached(anew + 200)
      const failures = await load.stop()
      expect(failures.filter(({ index }) => index >= anew)).toEqual([])
      const living = open.filter((socket) => !ended.has(socket))
      expect(living.length).toBeGreaterThan(0)
      expect(living.length).toBeLessThan(streams)
      await Promise.all(living.map((socket) => echoes(socket)))
      for (const socket of open) socket.destroy()
    })
  })
}

/** Processes that share a TCP port have a row each (Linux). */
function listenersAt(port: number): number {
  const listening = '0A'
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const rows = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
  return rows.filter(([, address, , state]) => address?.endsWith(local) && state === listening).length
}

async function echoes(socket: Socket): Promise<void> {
  const answer = readBytes(socket, 4)
  socket.write('here')
  expect((await within(answer, 'the echo')).toString()).toBe('here')
}

type Failure = { readonly index: number; readonly problem: string }

/** Visitors that come one after the other, each with a connection of its own; nobody tries twice. */
function startVisits(service: Service, url: string) {
  const failures: Failure[] = []
  let sent = 0
  let isStopped = false
  let onSent = () => {}
  const come = async () => {
    while (!isStopped) {
      const index = sent
      sent += 1
      onSent()
      await visit(service, url).then(
        ({ status }) => status === 200 || failures.push({ index, problem: `${status}` }),
        (error: unknown) => failures.push({ index, problem: String(error) }),
      )
    }
  }
  const running = Promise.all(Array.from({ length: visitors }, come))
  return {
    /** How many have started. */
    get sent() {
      return sent
    },
    async reached(count: number) {
      while (sent < count)
        await new Promise<void>((resolve) => {
          onSent = resolve
        })
    },
    async stop(): Promise<readonly Failure[]> {
      isStopped = true
      await running
      return failures
    },
  }
}
