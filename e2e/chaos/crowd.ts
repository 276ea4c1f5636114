/**
 * Many agents in one process: each is the whole agent of `ptun` (leases, back-off, sessions) without its output.
 *   crowd <api> <prefix> <count> <upstream host:port>      with the key in PTUN_KEY
 * It prints a line for each tunnel that goes online and for each dial that a relay refused; SIGTERM ends it.
 */
import { makeClient } from '@porttunneler/shared/api/client'
import { systemClock } from '@porttunneler/shared/base/clock'
import { isFailure } from '@porttunneler/shared/base/errors'
import { newId } from '@porttunneler/shared/base/ids'
import { Budget } from '@porttunneler/shared/mux/budget'
import { dialRelay } from '@porttunneler/shared/mux/dial'
import { Liveness } from '@porttunneler/shared/mux/liveness'
import { Turn } from '@porttunneler/shared/mux/turn'
import { z } from 'zod'
import { Supervisor } from '../../cli/agent/supervisor.ts'
import { parseUpstream } from '../../cli/agent/upstream.ts'
import { leaseApi } from '../../cli/commands/lease-api.ts'

const [api, prefix, count, upstream] = z
  .tuple([z.url(), z.string(), z.coerce.number().int().positive(), z.string()])
  .parse(process.argv.slice(2))
const key = z.string().parse(process.env.PTUN_KEY)

/** The pause between two starts: how they come the first time is not tested. */
const startEveryMs = 15

const client = makeClient({ baseUrl: api, token: () => key })
const mux = {
  clock: systemClock,
  turn: new Turn(),
  liveness: new Liveness({ clock: systemClock, side: 'agent' }),
  budget: new Budget(256 * 1024 ** 2),
}

function say(line: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify({ ...line, atMs: systemClock.now() })}\n`)
}

function startAgent(name: string): void {
  const agent = newId('agt', systemClock.now())
  /** Before this time the relay wants no dial from this agent. */
  let notBeforeMs = 0
  const supervisor = new Supervisor({
    agent,
    server: api,
    pid: process.pid,
    wanted: [{ name, kind: 'http', upstream: parseUpstream(upstream) }],
    takeover: false,
    api: leaseApi({ client }, async () => ({})),
    clock: systemClock,
    random: Math.random,
    turn: mux.turn,
    dial: async (address, options) => {
      const early = notBeforeMs - systemClock.monotonic()
      if (early > 5) say({ event: 'early', name, ms: Math.round(early) })
      try {
        return await dialRelay({ ...mux, ...options, address, agent, build: 'crowd', random: Math.random })
      } catch (error) {
        if (isFailure(error)) {
          const { isRefusal = false, retryAfterMs } = error.fields
          if (typeof retryAfterMs === 'number') notBeforeMs = systemClock.monotonic() + retryAfterMs
          if (error.key !== 'relay.unreachable')
            say({ event: 'refused', name, key: error.key, isRefusal, retryAfterMs })
        }
        throw error
      }
    },
    emit: ({ event }) => {
      if (event === 'tunnel.online' || event === 'tunnel.stopped') say({ event, name })
    },
    saved: [],
    save() {},
    retire() {},
    forget() {},
  })
  supervisor.start()
}

for (let index = 0; index < count; index++)
  systemClock.after(index * startEveryMs, () => startAgent(`${prefix}-${index}`))
process.on('SIGTERM', () => process.exit(0))
