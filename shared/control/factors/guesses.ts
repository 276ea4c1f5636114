/**
 * How often an app's codes may be tried. Whoever tries has shown the first factor, so strangers lock nobody out.
 * Three codes of a million are right at a time: thirty tries a day, for a year, are a chance of
 * three percent, and the person is told at the first limit. Passkeys and recovery codes cannot be guessed and are not
 * counted, so they still let the person in who is being guessed.
 */
import { isFailure } from '../../base/errors.ts'
import type { Control } from '../control.ts'
import { kick } from '../jobs/kick.ts'
import { lookToNotify } from '../mail/notices.ts'
import { countEvent } from '../rates.ts'
import type { FactorCaller } from './changing.ts'

const perHour = { scope: 'factor.hour', max: 10, windowMs: 3_600_000 }
const perDay = { scope: 'factor.day', max: 30, windowMs: 24 * 3_600_000 }
const toldPerDay = { scope: 'factor.told', max: 1, windowMs: 24 * 3_600_000 }

/**
 * Counted before the code is looked at, so tries at the same time count too.
 * @returns a function that takes it back, for a right code
 * @throws factor.guesses
 */
export async function countGuess(
  control: Pick<Control, 'store' | 'clock' | 'bus' | 'log'>,
  by: Pick<FactorCaller, 'user' | 'from'>,
): Promise<() => Promise<void>> {
  const counted = { subject: by.user, key: 'factor.guesses' } as const
  try {
    const ofHour = await countEvent(control, perHour, counted)
    // A try that the hour refuses does not count for the day.
    const ofDay = await countEvent(control, perDay, counted)
    return async () => {
      await ofHour()
      await ofDay()
    }
  } catch (error) {
    if (isFailure(error, 'factor.guesses')) await tellOnce(control, by)
    throw error
  }
}

async function tellOnce(
  control: Pick<Control, 'store' | 'clock' | 'bus' | 'log'>,
  { user, from }: Pick<FactorCaller, 'user' | 'from'>,
): Promise<void> {
  const { store, clock } = control
  try {
    await countEvent(control, toldPerDay, { subject: user, key: 'factor.guesses' })
  } catch (error) {
    if (isFailure(error, 'factor.guesses')) return
    throw error
  }
  const nowMs = clock.now()
  const job = await store.transact(async (tx) => {
    const notice = { event: 'factor', user, news: 'guesses', name: '', from } as const
    return (await lookToNotify(tx, notice, { account: '', nowMs }))()
  })
  await kick(control, [job])
}
