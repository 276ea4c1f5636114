/**
 * A control plane whose store is a file, and Stripe's test server: people pay, and one of both is lost. The clocks are
 * turned on by hand, so hours take milliseconds.
 */
import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Secret } from '@porttunneler/shared/base/secret'
import { readAccount } from '@porttunneler/shared/control/accounts'
import type { Caller } from '@porttunneler/shared/control/caller'
import { controlOf } from '@porttunneler/shared/control/control'
import type { Payments } from '@porttunneler/shared/control/money/payments'
import { changePlan, startCheckout } from '@porttunneler/shared/control/money/selling'
import { runAct } from '@porttunneler/shared/control/operator/acts'
import { queryTable } from '@porttunneler/shared/control/query-table'
import { openPayments } from '@porttunneler/shared/payments/open'
import { takeWebhook } from '@porttunneler/shared/payments/webhook'
import { outcome, signIn } from '@porttunneler/shared/testing/callers'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { sdkOf } from '@porttunneler/shared/testing/stripe/sdk'
import { startStripe } from '@porttunneler/shared/testing/stripe/server'
import { openSqliteStore } from '@porttunneler/standalone/platform/store.sqlite'
import { makeTestControl, type TestControl } from '@porttunneler/standalone/testing/control'
import { temporaryFolder } from '../harness/standalone.ts'
import { check } from './drill.ts'

export const minuteMs = 60_000
export const hourMs = 60 * minuteMs
export const dayMs = 24 * hourMs
/** Nobody listens there. */
const closedPort = 9

export type Payers = Awaited<ReturnType<typeof openPayers>>

export async function openPayers(parts: AsyncDisposableStack) {
  const folder = temporaryFolder('payers')
  parts.defer(() => rmSync(folder, { recursive: true, force: true }))
  const clock = new FakeClock()
  let secret = new Secret('')
  const stripe = await startStripe({
    clock,
    send: async ({ url, body, headers }) => {
      const request = new Request(url, { method: 'POST', body, headers })
      return (await takeWebhook(plane.control, request, [secret])).status
    },
  })
  parts.defer(() => stripe.close())
  const ways = {
    open: openPayments({ key: new Secret(stripe.key), server: stripe.sdk }),
    away: openPayments({ key: new Secret(stripe.key), server: { ...stripe.sdk, port: closedPort } }),
    revoked: openPayments({ key: new Secret('sk_test_revoked'), server: stripe.sdk }),
  }
  let way: keyof typeof ways = 'open'
  const payments = new Proxy(ways.open, { get: (_, name) => Reflect.get(ways[way], name) }) as Payments
  const open = (file: string): TestControl => {
    const wrapStore = () => openSqliteStore(join(folder, file), { queries: queryTable })
    const opened = makeTestControl({ plan: 'free', payments, wrapStore })
    parts.defer(async () => {
      await opened.control.store.close()
      await opened.close()
    })
    return opened
  }
  let plane = open('store.db')
  clock.advance(plane.clock.now() - clock.now())
  await plane.openCell()
  const act = (name: 'billing.sync' | 'billing.replay' | 'backup.settle', input: object) =>
    runAct(
      { control: plane.control, enrolment: plane.relayIdentity },
      { act: name, input, operator: 'drill' },
    )
  const synced = (await act('billing.sync', { apply: true })) as { webhookSecret?: string }
  secret = new Secret(String(synced.webhookSecret))

  return {
    stripe,
    sdk: sdkOf(stripe),
    act,
    now: () => plane.clock.now(),
    /** How Stripe is reached from now on. */
    reach: (next: keyof typeof ways) => {
      way = next
    },
    /** Time passes; what is due at Stripe, its events, and a round of jobs. @param isLost no event arrives, ever */
    async pass(ms: number, isLost = false) {
      clock.advance(ms)
      plane.clock.advance(ms)
      await stripe.deliver({ lost: () => isLost })
      await plane.runJobs()
    },
    signUp: (name: string) => signIn(plane.control, `${name}@example.com`, { plan: 'free' }),
    /** @returns 'done', or the key of the refusal */
    async buy(caller: Caller, plan: string): Promise<string> {
      const { control } = plane
      const choice = { plan, interval: 'month', seats: 1, currency: 'usd' } as const
      let url = ''
      const asked = startCheckout(control, controlOf(control, caller.account), caller, choice)
      const said = await outcome(
        asked.then((page) => {
          url = page.url
        }),
      )
      if (said !== 'done') return said
      const form = {
        email: caller.user?.email ?? '',
        name: 'A payer',
        country: 'US',
        number: '4242424242424242',
      }
      const paid = await fetch(url, { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' })
      check(paid.status < 400, `the payment is taken: ${paid.status}`)
      return 'done'
    },
    change: (caller: Caller, plan: string) => {
      const { control } = plane
      const wanted = { plan, interval: 'month', seats: 1, isDry: false } as const
      return changePlan(control, controlOf(control, caller.account), caller, wanted)
    },
    /** As an operator does it in the Dashboard. */
    async endAtStripe(customer: string) {
      for (const { id } of (await sdkOf(stripe).subscriptions.list({ customer })).data)
        await sdkOf(stripe).subscriptions.cancel(id)
    },
    /** The customer that Stripe has for an account. */
    customerOf: ({ account }: Caller) =>
      stripe.world.all('customers').find(({ metadata }) => metadata.account === account)?.id ?? '',
    planOf: async ({ account }: Caller) => (await readAccount(plane.control, account)).data.plan,
    /** All that money was asked for. */
    invoices: () => stripe.world.all('invoices').length,
    /** A copy of the store, as `ptunctl backup create` makes it. @returns what puts it in place of the store */
    backUp(): () => void {
      const file = `${randomUUID()}.db`
      const db = new DatabaseSync(join(folder, 'store.db'))
      db.exec(`VACUUM INTO '${join(folder, file)}'`)
      db.close()
      return () => {
        const nowMs = plane.clock.now()
        plane = open(file)
        plane.clock.advance(nowMs - plane.clock.now())
      }
    },
  }
}
