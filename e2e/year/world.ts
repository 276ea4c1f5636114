/**
 * A service whose time is moved: two instances of the control plane on one store, and Stripe's test server. Webhooks
 * come in any order, twice, late and never, at either instance; both run jobs at once, and Stripe is away now and then.
 */
import { newId } from '@porttunneler/shared/base/ids'
import { Secret } from '@porttunneler/shared/base/secret'
import { deletedTunnels } from '@porttunneler/shared/control/documents'
import { makeWorker } from '@porttunneler/shared/control/jobs/kinds'
import type { Payments } from '@porttunneler/shared/control/money/payments'
import { runAct } from '@porttunneler/shared/control/operator/acts'
import { openPayments } from '@porttunneler/shared/payments/open'
import { takeWebhook } from '@porttunneler/shared/payments/webhook'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { startStripe } from '@porttunneler/shared/testing/stripe/server'
import { seededRandom } from '@porttunneler/shared/testing/wire-pair'
import { makeTestControl, quietSync } from '@porttunneler/standalone/testing/control'

export const hourMs = 3_600_000
export const dayMs = 24 * hourMs
/** Rows that a relay may send at once. */
const rowsMax = 100
/** What happens to webhooks: they come again, wait for a later run, or never come. */
const share = { twice: 0.2, late: 0.2, lost: 0.03 }

export type YearWorld = Awaited<ReturnType<typeof openWorld>>
export type StripeWorld = YearWorld['stripe']['world']
type Kept<T> = T extends ReadonlyMap<string, infer V> ? V : never
export type StripeInvoice = Kept<StripeWorld['tables']['invoices']>
export type StripeLine = StripeInvoice['lines']['data'][number]
export type Row = {
  readonly account: string
  readonly tunnel: string
  readonly hour: number
  readonly bytes: number
}

/** The share of looks at which Stripe cannot be reached, and of acts whose first answer is lost. */
const outages = { looks: 0.01, acts: 0.03 }
/** Requests of an outage; each costs the SDK's pauses, which are not moved by any clock. */
const outageRequests = 6

/**
 * @param stepMs how far time moves between two looks at everything
 * @param instances 1: jobs run one after the other, in an order that the seed repeats
 */
export async function openWorld({
  seed,
  stepMs,
  instances,
}: {
  readonly seed: number
  readonly stepMs: number
  readonly instances: 1 | 2
}) {
  const random = seededRandom(seed)
  const clock = new FakeClock()
  const stripe = await startStripe({
    clock,
    seed: `${seed}`,
    send: async ({ url, body, headers }) => {
      const request = new Request(url, { method: 'POST', body, headers })
      return (await takeWebhook(pick([t.control, other]), request, [secret])).status
    },
  })
  const watch = watchCalls()
  const calls = (instance: number) =>
    watch.by(instance, openPayments({ key: new Secret(stripe.key), server: stripe.sdk }))
  const t = makeTestControl({ plan: 'free', payments: calls(1), random: seededRandom(seed + 1) })
  const other = instances === 2 ? t.elsewhere({ payments: calls(2) }).control : t.control
  clock.advance(t.clock.now() - clock.now())
  await t.openCell()
  const asked = { act: 'billing.sync', input: { apply: true }, operator: 'operator' } as const
  const synced = await runAct({ control: t.control, enrolment: t.relayIdentity }, asked)
  const secret = new Secret(String((synced as { webhookSecret?: string }).webhookSecret))
  const workers =
    instances === 2
      ? [t.control, other].map((control) => makeWorker(control, 4, t.identity.jobs))
      : [makeWorker(t.control, 1, t.identity.jobs)]
  for (const worker of workers) await worker.begin()

  function pick<T>(all: readonly T[]): T {
    const found = all[Math.floor(random() * all.length)]
    if (found === undefined) throw new RangeError('nothing to pick from')
    return found
  }
  const chance = (part: number) => random() < part

  return {
    t,
    stripe,
    stepMs,
    random,
    pick,
    chance,
    now: () => t.clock.now(),
    /** How often a call of one instance at Stripe began while the other's was open. */
    overlaps: () => watch.overlaps(),
    /** A person's next call at Stripe may happen, and nobody hears of it. */
    loseAnswer() {
      if (chance(outages.acts)) stripe.faults.plan({ kind: 'lost', request: /^(POST|DELETE)/ })
    },
    /** Either instance: a person's calls go to whichever answers. */
    control: () => pick([t.control, other]),
    advance() {
      clock.advance(stepMs)
      t.clock.advance(stepMs)
    },
    /** What is due at Stripe, webhooks, and the jobs of both instances at once. */
    async settle({ isCalm = false } = {}) {
      stripe.catchUp()
      const wild = {
        twice: () => chance(share.twice),
        late: () => chance(share.late),
        lost: () => chance(share.lost),
      }
      await stripe.deliver({ random, ...(!isCalm && wild) })
      if (!isCalm && chance(outages.looks)) {
        const kind = pick(['unreachable', 'lost', 'failed', 'failedAfter', 'busy'] as const)
        stripe.faults.plan({ kind, times: outageRequests })
      }
      await Promise.all(workers.map((worker) => worker.round(60_000)))
      stripe.faults.clear()
    },
    /** A tunnel of the account, whose usage is taken also after it is gone. */
    async makeTunnel(account: string): Promise<string> {
      const tunnel = newId('tun', t.clock.now())
      const ttl = new Date(t.clock.now() + 1_000 * dayMs)
      await t.control.store.set(deletedTunnels.ref(tunnel), { account, cell: 'home', deletedAt: 0, ttl })
      return tunnel
    },
    /** As a relay sends them: some come twice, in one report or in two. */
    async report(rows: readonly Row[]) {
      const usage = rows.flatMap(({ bytes, ...row }) => {
        const sent = { ...row, boot: quietSync.boot.boot, opened: 1, refused: 0, in: 0, out: bytes }
        return chance(0.1) ? [sent, sent] : [sent]
      })
      for (let from = 0; from < usage.length; from += rowsMax) {
        const piece = { usage: usage.slice(from, from + rowsMax) }
        await t.sync(piece)
        if (chance(0.1)) await t.sync(piece)
      }
    },
    async close() {
      await t.close()
      await stripe.close()
    },
  }
}

/** Counts the calls of two instances that are open at once: without any, having two would show nothing. */
function watchCalls() {
  const open = new Map<number, number>()
  let overlaps = 0
  return {
    overlaps: () => overlaps,
    by: (instance: number, payments: Payments): Payments =>
      new Proxy(payments, {
        get(target, name, receiver) {
          const call: unknown = Reflect.get(target, name, receiver)
          if (typeof call !== 'function') return call
          return async (...given: unknown[]) => {
            if ([...open].some(([one, count]) => one !== instance && count > 0)) overlaps++
            open.set(instance, (open.get(instance) ?? 0) + 1)
            try {
              return await Reflect.apply(call, target, given)
            } finally {
              open.set(instance, (open.get(instance) ?? 1) - 1)
            }
          }
        },
      }),
  }
}
