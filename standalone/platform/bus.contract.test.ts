import { describeBus } from '@porttunneler/shared/testing/bus.contract'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { openLocalBus } from './bus.local.ts'

describeBus('local', async () => {
  const clock = new FakeClock()
  const bus = openLocalBus({
    clock,
    random: () => 0.5,
    onBackgroundError: (task, error) => {
      throw new Error(task, { cause: error })
    },
  })
  return { bus, settle: () => clock.advanceAsync(20_000, 500) }
})
