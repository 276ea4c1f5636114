/** A year of many accounts, day by day, and whether everything about money agreed at each of them. */
import { sdkOf } from '@porttunneler/shared/testing/stripe/sdk'
import { compareBill, compareTaxes, has, madeGoodMs, paidFor } from './agreement.ts'
import { type Fate, fates } from './fates.ts'
import { type Ledger, makeLedger } from './ledger.ts'
import { type Act, makePerson, type Person } from './person.ts'
import { dayMs, hourMs, openWorld, type YearWorld } from './world.ts'

export type JourneyOptions = {
  readonly accounts: number
  readonly days: number
  readonly seed: number
  /** Between two looks at everything, a divisor of 24. */
  readonly stepHours: number
  /** 1: the order of jobs is repeated by the seed as well. */
  readonly instances?: 1 | 2
  readonly say?: (line: string) => void
}
export type Journey = {
  readonly faults: readonly string[]
  readonly periods: number
  /** How often what happened: "change: done", "buy: billing.twice". */
  readonly acts: Readonly<Record<string, number>>
  readonly ledger: Ledger
}

/** Sign-ups are spread over the first weeks. */
const signUpDays = 20
/** A quiet time at the end: what was lost is made good, and what is open is closed. */
const calmDays = 10

type Living = {
  readonly person: Person
  readonly fate: Fate
  readonly since: number
  /** What it bought last. */
  readonly wish?: Act
  /** What it pays for, and since when. */
  truth: string
  truthSince: number
}

export async function runJourney({
  accounts,
  days,
  seed,
  stepHours,
  instances = 2,
  say = () => {},
}: JourneyOptions): Promise<Journey> {
  const world = await openWorld({ seed, stepMs: stepHours * hourMs, instances })
  try {
    const sdk = sdkOf(world.stripe)
    const found = { faults: [] as string[], acts: {} as Record<string, number>, periods: new Set<string>() }
    const living: Living[] = []
    for (let day = 0; day < days + calmDays; day++) {
      const isCalm = day >= days
      await signUp(world, { living, accounts, day, sdk })
      for (const one of isCalm ? [] : living) await live(world, one, { day, found })
      for (let step = 0; step < 24 / stepHours; step++) {
        world.advance()
        await world.report(living.flatMap(({ person }) => person.rowsDue()))
        await world.settle({ isCalm })
        for (const { person } of living) await person.look()
      }
      for (const one of living) await judge(world, one, found)
      if (day % 30 === 29) say(`day ${day + 1}: ${found.periods.size} periods, ${found.faults.length} faults`)
    }
    const { faults, acts, periods } = found
    for (const { person } of living)
      if (!person.isClosed() && person.customer() !== '') faults.push(...(await compareTaxes(world, person)))
    if (instances === 2 && world.overlaps() === 0) faults.push('the two instances never asked at once')
    say(`${world.overlaps()} calls at Stripe began while the other instance's was open`)
    return { faults, acts, periods: periods.size, ledger: makeLedger(world) }
  } finally {
    await world.close()
  }
}

async function signUp(
  world: YearWorld,
  given: {
    readonly living: Living[]
    readonly accounts: number
    readonly day: number
    readonly sdk: ReturnType<typeof sdkOf>
  },
): Promise<void> {
  const { living, accounts, day, sdk } = given
  const due = Math.min(accounts, Math.ceil((accounts * (day + 1)) / signUpDays))
  while (living.length < due) {
    const fate = fates[living.length % fates.length]
    if (!fate) throw new RangeError('there are no stories')
    const person = await makePerson(world, living.length, sdk)
    living.push({ person, fate, since: day, truth: 'free 1', truthSince: world.now() })
  }
}

type Found = {
  readonly faults: string[]
  readonly acts: Record<string, number>
  readonly periods: Set<string>
}

async function live(
  world: YearWorld,
  one: Living,
  { day, found }: { readonly day: number; readonly found: Found },
): Promise<void> {
  const { person, fate, since } = one
  if (person.isClosed()) return
  await payAtOnce(one, await person.doc())
  if (world.chance(0.4)) {
    const bytes = Math.floor(world.random() * fate.gigabytes * 2.5e9)
    // Most come in time; a relay that was cut off sends them hours, days or weeks later.
    const lateMs = world.chance(0.8) ? 0 : world.pick([2 * hourMs, dayMs, 3 * dayMs, 20 * dayMs])
    person.carry(bytes, lateMs)
  }
  for (const [at, act, wanted = 'done'] of fate.acts) {
    if (at !== day - since) continue
    const outcome = await person.do(act)
    const key = `${act.act}: ${outcome}`
    found.acts[key] = (found.acts[key] ?? 0) + 1
    if (act.act === 'buy') Object.assign(one, { wish: act })
    if (!wanted.split(' or ').includes(outcome))
      found.faults.push(`${person.email} (${fate.name}): day ${at}, ${key}, not ${wanted}`)
  }
}

/** A second trial of a card ends before it begins; whoever meant it pays then. */
async function payAtOnce(one: Living, doc: Awaited<ReturnType<Person['doc']>>): Promise<void> {
  const { wish, person } = one
  if (!wish || doc?.state !== 'free' || doc.hadTrial !== true || doc.timeline.length > 0) return
  if ((await person.do(wish)) === 'done') Object.assign(one, { wish: undefined })
}

/** Rights, at the latest when a lost event is made good; and each period, once nothing of it can change. */
async function judge(world: YearWorld, one: Living, found: Found): Promise<void> {
  const { person } = one
  const nowMs = world.now()
  const truth = person.isClosed() || person.customer() === '' ? 'free 1' : paidFor(world, person.customer())
  if (truth !== one.truth) Object.assign(one, { truth, truthSince: nowMs })
  if (!person.isClosed() && nowMs - one.truthSince > madeGoodMs) {
    const present = await has(world, person.account)
    if (present !== truth) {
      found.faults.push(
        `${person.email} has ${present}, and pays for ${truth} since ${new Date(one.truthSince).toISOString()}`,
      )
      one.truthSince = nowMs
    }
  }
  for (const period of person.periods.values()) {
    const name = `${person.account} ${period.start}`
    const end = Math.min(period.end, period.cutAt ?? period.end)
    if (found.periods.has(name) || nowMs < end + madeGoodMs + dayMs) continue
    found.periods.add(name)
    const wrong = await compareBill(world, person, period)
    found.faults.push(...wrong.map((text) => `${text} (${one.fate.name})`))
  }
}
