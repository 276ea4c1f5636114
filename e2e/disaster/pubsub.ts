/**
 * Losses of Pub/Sub. A relay's subscription is deleted, and messages fail at every delivery: with the real relay, bus
 * and tool, on Google's emulator. For the hour in which nothing is delivered the clock is turned on by hand.
 */
import { openPubsubBus } from '@porttunneler/functions/platform/bus.pubsub'
import { startPubsub } from '@porttunneler/functions/testing/emulators'
import { systemClock } from '@porttunneler/shared/base/clock'
import { makeCommand, publishCommands } from '@porttunneler/shared/control/commands'
import { topics } from '@porttunneler/shared/control/names'
import { eventually } from '../harness/events.ts'
import { runProgram } from '../harness/programs.ts'
import { type Signalling, startSignalling } from '../harness/signalling.ts'
import { check, type DrillResult } from './drill.ts'
import { Visitors } from './visitors.ts'

const cell = 'home'
/** A relay reports every 30 s, and the machine may be busy. */
const byReportMs = 60_000
/** Pub/Sub itself takes less. */
const atOnceMs = 10_000
const backMs = 60_000
const hourMs = 3_600_000

type Place = { readonly pubsub: string; readonly project: string }

async function openPubsub(parts: AsyncDisposableStack): Promise<Place> {
  process.env.METADATA_SERVER_DETECTION = 'none'
  const emulator = await startPubsub(process.env)
  parts.defer(() => emulator.stop())
  process.env.PUBSUB_EMULATOR_HOST = emulator.host
  return { pubsub: emulator.host, project: `demo-disaster-${process.pid}` }
}

/** Commands come by reports; made anew, the subscription brings them at once, and old ones do no harm. */
export async function loseSubscription(): Promise<DrillResult> {
  await using parts = new AsyncDisposableStack()
  const s = await startSignalling(await openPubsub(parts))
  parts.defer(() => s.close())
  const [stays, first, second, later] = await s.open(['stays', 'first', 'second', 'later'])
  if (!stays || !first || !second || !later) throw new Error('no tunnels')
  const visitors = new Visitors(async () => (await s.visit(stays)) === 200)
  parts.defer(() => visitors.close())
  await visitors.backSince(systemClock.monotonic(), backMs)
  const { endpoint } = await s.client.tunnel(stays.id)

  const { subscription, clients } = s
  const [{ topic }] = await clients.subscriber.getSubscription({ subscription })
  await clients.subscriber.deleteSubscription({ subscription })
  // The second one right after a report, so it waits for nearly all of the time to the next.
  const rtoMs = Math.max(await s.timeDelete(first), await s.timeDelete(second))
  check(rtoMs <= byReportMs, 'a tunnel that is deleted meanwhile ends by the next report of its relay')

  await clients.subscriber.createSubscription({ name: subscription, topic: topic ?? '' })
  await untilHeard(s)
  const laterMs = await s.timeDelete(later)
  check(laterMs <= atOnceMs, 'commands come at once again')
  // As they were given for whoever had the address before.
  const old = { kind: 'revoke', endpoint: `host:${endpoint?.host}`, epoch: 1, reason: 'released' } as const
  const late = Array.from({ length: 60 }, (_, n) => makeCommand(cell, old, Date.now() - hourMs + n * 60_000))
  await publishCommands(s.control, late)
  // Pub/Sub keeps no order, so a later command may overtake: several, to have the late ones before some of them.
  await untilHeard(s)
  check((await s.visit(stays)) === 200, 'commands that come an hour late end nothing that is newer')
  check(visitors.failed === 0, 'no visitor of a running tunnel notices')
  return {
    lost: 'a relay’s subscription to its commands, on the emulator',
    rpo: 'nothing: what was not delivered comes with the answer to a report',
    rtoMs,
    seen: `the time is how long a tunnel that was deleted meanwhile went on at most; ${(laterMs / 1000).toFixed(2)} s once the subscription was there again; ${visitors.served} visitors of another were served, and 60 commands that came an hour late ended nothing newer`,
  }
}

/** Nothing is logged when a stream opens, so commands that change nothing are sent until the relay says one came. */
async function untilHeard(s: Signalling): Promise<void> {
  const from = s.relay.lines.items.length
  let sent = 0
  await eventually(
    'commands are heard',
    async () => {
      const unknown = { id: `cmd_${sent++}`, at: Date.now(), kind: 'freeze' }
      await s.control.bus.publish(s.topic, unknown)
      const lines = s.relay.lines.items.slice(from)
      return lines.some(({ text }) => text.includes('A command of a newer release is ignored')) || undefined
    },
    backMs,
  )
}

/** A listener that refuses everything for a while; what it refused is given back by the operator's tool. */
export async function loseMessages(): Promise<DrillResult> {
  await using parts = new AsyncDisposableStack()
  const { pubsub, project } = await openPubsub(parts)
  const refused = { count: 0 }
  const common = { clock: systemClock, random: Math.random, provisions: true }
  const bus = await openPubsubBus({ project, ...common, onBackgroundError: () => void refused.count++ })
  parts.defer(() => bus.close())
  let isBroken = true
  const heard = new Set<unknown>()
  await bus.subscribe(topics.events, 'drill', ({ n }) => {
    if (isBroken) throw new Error('the database refuses it')
    heard.add(n)
  })
  const wanted = 20
  for (let n = 0; n < wanted; n++) await bus.publish(topics.events, { n })
  await eventually('all are among the dead letters', async () => refused.count >= wanted || undefined, backMs)
  const tool = async (...words: string[]) => {
    const env = { GOOGLE_CLOUD_PROJECT: project, PUBSUB_EMULATOR_HOST: pubsub }
    const { exit, stdout, stderr } = await runProgram('node', ['functions/dead-letters.ts', ...words], {
      env,
    })
    if (exit.code !== 0) throw new Error(`dead-letters ${words.join(' ')}: ${stdout} ${stderr}`)
    return stdout
  }
  const list = await tool('list')
  check(list.trim().endsWith(`Dead letters: ${wanted}`), `each is listed: ${list}`)
  check(list.includes('the database refuses it'), 'with its reason')
  isBroken = false
  const lostMs = systemClock.monotonic()
  check((await tool('replay', '--all')).trim() === `Replayed: ${wanted}`, 'each is replayed')
  await eventually('each was handled', async () => heard.size === wanted || undefined, backMs)
  const rtoMs = systemClock.monotonic() - lostMs
  check((await tool('list')).trim() === 'Dead letters: 0', 'none is left')
  return {
    lost: 'messages that failed at every delivery, on the emulator',
    rpo: 'nothing for a week: dead letters are kept so long',
    rtoMs,
    seen: `${wanted} were listed with their reason, and handled after \`dead-letters replay --all\`, which is the time`,
  }
}
