/** Stripe's test clocks: customers made with one live in its time, which only a request moves. */
import type { Stripe } from 'stripe'
import { z } from 'zod'
import { page } from './pages.ts'
import { int, none, paging, params, text } from './params.ts'
import { invalid } from './refusal.ts'
import { type Route, route } from './routes.ts'

const createParams = params<Stripe.TestHelpers.TestClockCreateParams>()({
  frozen_time: int,
  name: text.max(300).optional(),
})
/** Stripe deletes clocks after 30 days, and moves them by at most two of the shortest intervals at once. */
const keptFor = 30 * 86_400
const stepMax = 2 * 366 * 86_400

export const testClockRoutes: readonly Route[] = [
  route('POST /v1/test_helpers/test_clocks', createParams, (world, asked) => {
    const clock: Stripe.TestHelpers.TestClock = {
      id: world.id('clock', 24),
      object: 'test_helpers.test_clock',
      created: world.now(),
      deletes_after: world.now() + keptFor,
      frozen_time: asked.frozen_time,
      livemode: false,
      name: asked.name ?? null,
      status: 'ready',
      status_details: {},
    }
    world.keep('clocks', clock)
    world.emit('test_helpers.test_clock.created', clock)
    return clock
  }),
  route('GET /v1/test_helpers/test_clocks', z.strictObject(paging), (world, asked) =>
    page(world.all('clocks'), asked, '/v1/test_helpers/test_clocks'),
  ),
  route('GET /v1/test_helpers/test_clocks/:id', none, (world, _, id = '') =>
    world.find('clocks', id, 'test clock'),
  ),
  route(
    'POST /v1/test_helpers/test_clocks/:id/advance',
    z.strictObject({ frozen_time: int }),
    (world, asked, id) => {
      const clock = world.find('clocks', id ?? '', 'test clock')
      if (clock.status !== 'ready') throw invalid('The test clock is still advancing.')
      if (asked.frozen_time <= clock.frozen_time)
        throw invalid('You cannot advance a test clock backwards.', { param: 'frozen_time' })
      if (asked.frozen_time > clock.frozen_time + stepMax)
        throw invalid('You cannot advance a test clock that far at once.', { param: 'frozen_time' })
      clock.status = 'advancing'
      clock.status_details = { advancing: { target_frozen_time: asked.frozen_time } }
      world.emit('test_helpers.test_clock.advancing', clock)
      return clock
    },
  ),
  route('DELETE /v1/test_helpers/test_clocks/:id', none, (world, _, id = '') => {
    const clock = world.find('clocks', id, 'test clock')
    world.tables.clocks.delete(id)
    for (const customer of world.all('customers'))
      if (customer.test_clock === id) world.tables.customers.delete(customer.id)
    for (const subscription of world.all('subscriptions'))
      if (subscription.test_clock === id) world.tables.subscriptions.delete(subscription.id)
    world.emit('test_helpers.test_clock.deleted', clock)
    return {
      id,
      object: 'test_helpers.test_clock',
      deleted: true,
    } satisfies Stripe.TestHelpers.DeletedTestClock
  }),
]
