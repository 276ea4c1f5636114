/**
 * Stripe is lost in four ways: it does not answer, its events do not arrive, its key is revoked, and our database is
 * older than what Stripe knows. The control plane, its client of Stripe and Stripe's test server are the real ones; the
 * times in the table are those of clocks that are turned on by hand.
 */
import { check, type DrillResult } from './drill.ts'
import { dayMs, hourMs, minuteMs, openPayers, type Payers } from './payers.ts'

const stepMs = 10 * minuteMs
const awayHours = 6
/** After a failure a job waits for at most an hour. */
const backMsMax = 90 * minuteMs

/** Minutes until it is so. */
async function until(payers: Payers, isSo: () => Promise<boolean>, what: string): Promise<number> {
  let rtoMs = 0
  while (!(await isSo())) {
    check(rtoMs < backMsMax, `${what}, within ${backMsMax / minuteMs} min`)
    await payers.pass(minuteMs)
    rtoMs += minuteMs
  }
  return rtoMs
}

/** Somebody who pays, and for whom the trial is over. */
async function payer(payers: Payers, name: string) {
  const caller = await payers.signUp(name)
  check((await payers.buy(caller, 'pro')) === 'done', 'a plan is sold')
  await payers.pass(minuteMs)
  for (let days = 0; days < 16; days++) await payers.pass(dayMs)
  check((await payers.planOf(caller)) === 'pro', 'what was paid for is there')
  return caller
}

export async function loseStripe(): Promise<DrillResult> {
  return loseWay('away', 'billing.unavailable', {
    lost: `Stripe, for ${awayHours} hours: no call to it is answered`,
    ended: 'when Stripe answered again',
  })
}

export async function loseStripeKey(): Promise<DrillResult> {
  return loseWay('revoked', 'billing.key', {
    lost: `Stripe’s key: revoked, and another one ${awayHours} hours later`,
    ended: 'with the new key',
  })
}

async function loseWay(
  way: 'away' | 'revoked',
  refusal: string,
  { lost, ended }: { readonly lost: string; readonly ended: string },
): Promise<DrillResult> {
  await using parts = new AsyncDisposableStack()
  const payers = await openPayers(parts)
  const ada = await payer(payers, 'ada')
  const ben = await payer(payers, 'ben')
  const cyd = await payers.signUp('cyd')
  payers.reach(way)
  const said = await payers.buy(cyd, 'pro')
  check(said === refusal, `a purchase is refused by ${refusal}, not ${said}`)
  await payers.endAtStripe(payers.customerOf(ben))
  for (let ms = 0; ms < awayHours * hourMs; ms += stepMs) await payers.pass(stepMs)
  check((await payers.planOf(ada)) === 'pro', 'who pays keeps the plan')
  check((await payers.planOf(ben)) === 'pro', 'nothing is taken from anybody on a guess')
  payers.reach('open')
  const rtoMs = await until(payers, async () => (await payers.planOf(ben)) === 'free', 'the truth arrives')
  check((await payers.buy(cyd, 'pro')) === 'done', 'plans are sold again')
  return {
    lost,
    rpo: 'nothing: events are kept, and are read when Stripe can be asked',
    rtoMs,
    seen: `who paid kept the plan, and purchases were refused with a code; a subscription that ended meanwhile was known ${ended}, by the next try of its job; \`billing replay --since\` asks at once`,
  }
}

export async function loseStripeEvents(): Promise<DrillResult> {
  await using parts = new AsyncDisposableStack()
  const payers = await openPayers(parts)
  const ada = await payer(payers, 'ada')
  const ben = await payers.signUp('ben')
  const lostFromMs = payers.now()
  check((await payers.buy(ben, 'pro')) === 'done', 'a plan is sold')
  await payers.endAtStripe(payers.customerOf(ada))
  for (let ms = 0; ms < dayMs; ms += hourMs) await payers.pass(hourMs, true)
  const isTrue = async () => (await payers.planOf(ada)) === 'free' && (await payers.planOf(ben)) === 'pro'
  check(!(await isTrue()), 'without its events nobody knows yet')
  const asked = await payers.act('billing.replay', { since: new Date(lostFromMs).toISOString() })
  check((asked as { customers: number }).customers === 2, 'Stripe names both customers')
  const rtoMs = await until(payers, isTrue, 'the truth is there')
  return {
    lost: 'a day of Stripe’s events: the endpoint took them and lost them',
    rpo: 'nothing: Stripe is asked what changed, for up to 30 days',
    rtoMs,
    seen: 'a purchase and an end of that day were unknown until `ptunctl billing replay --since`, and right with the next round of jobs; without it, within a week',
  }
}

export async function restoreOlderThanStripe(): Promise<DrillResult> {
  await using parts = new AsyncDisposableStack()
  const payers = await openPayers(parts)
  const ada = await payer(payers, 'ada')
  const cyd = await payer(payers, 'cyd')
  const ben = await payers.signUp('ben')
  const backedUpMs = payers.now()
  const restore = payers.backUp()
  await payers.pass(hourMs)
  check((await payers.buy(ben, 'pro')) === 'done', 'a plan is sold after the backup')
  await payers.change(ada, 'team')
  await payers.endAtStripe(payers.customerOf(cyd))
  const dan = await payers.signUp('dan')
  check((await payers.buy(dan, 'pro')) === 'done', 'a new account buys too')
  await payers.pass(hourMs)
  const plans = async () =>
    [await payers.planOf(ada), await payers.planOf(ben), await payers.planOf(cyd)].join()
  const truth = 'team,pro,free'
  check((await plans()) === truth, `before the loss: ${await plans()}`)

  const invoices = payers.invoices()
  restore()
  check((await plans()) === 'pro,free,pro', 'the restored store has forgotten it')
  await payers.act('backup.settle', { at: backedUpMs })
  const asked = await payers.act('billing.replay', { since: new Date(backedUpMs).toISOString() })
  const { adopted, strange } = asked as { adopted: number; strange: readonly string[] }
  check(adopted === 1, 'a customer whom the backup does not know is found by the account')
  check(strange.join() === payers.customerOf(dan), 'whose account is gone is named')
  const rtoMs = await until(payers, async () => (await plans()) === truth, 'the truth is there')
  check(payers.invoices() === invoices, 'nothing is charged again')
  return {
    lost: 'the database, restored to two hours before what Stripe knows',
    rpo: 'nothing of what accounts of the backup pay for',
    rtoMs,
    seen: 'an upgrade, an end and a first purchase after the backup were right with the round of jobs after `ptunctl billing replay --since`; nothing was charged twice; a customer whose account was made after the backup was named, to be refunded or taken over by hand',
  }
}
