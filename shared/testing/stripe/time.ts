/**
 * What happens because time passed: in the order of its time, also across customers, and each thing at its own second.
 */
import type { Stripe } from 'stripe'
import type { World } from './world.ts'

/** Something that is due. */
export type Due = { readonly at: number; readonly act: () => void }

/** Far more than a year of all subscriptions of a test: more means that something becomes due for ever. */
const stepsMax = 200_000

/** Up to the server's clock, and up to where test clocks are being moved. */
export function catchUp(world: World): void {
  run(world, null, Math.floor(world.clock.now() / 1_000))
  for (const clock of world.all('clocks')) {
    const target = clock.status_details.advancing?.target_frozen_time
    if (target === undefined) continue
    run(world, clock.id, target)
    world.change('test_helpers.test_clock.ready', clock, () => finish(clock, target))
  }
}

function finish(clock: Stripe.TestHelpers.TestClock, target: number): void {
  clock.frozen_time = target
  clock.status = 'ready'
  clock.status_details = {}
}

/** @param clock null = the server's own */
function run(world: World, clock: string | null, until: number): void {
  for (let step = 0; step < stepsMax; step++) {
    const next = firstDue(world, clock)
    if (!next || next.at > until) return
    world.at(next.at, next.act)
  }
  throw new RangeError('something becomes due without end')
}

function firstDue(_world: World, _clock: string | null): Due | undefined {
  return undefined
}
