/** All scenarios, in the order they run in. */
import type { Scenario } from './scenario.ts'
import { addressChange } from './scenarios/address-change.ts'
import { blackHole } from './scenarios/black-hole.ts'
import { firewall } from './scenarios/firewall.ts'
import { herd } from './scenarios/herd.ts'
import { hostile } from './scenarios/hostile.ts'
import { killedCarriers } from './scenarios/killed-carriers.ts'
import { killedPrograms } from './scenarios/killed-programs.ts'
import { loss } from './scenarios/loss.ts'
import { noLeak } from './scenarios/no-leak.ts'
import { fullPools } from './scenarios/pools.ts'
import { usage } from './scenarios/usage.ts'

export const scenarios: readonly Scenario[] = [
  addressChange,
  blackHole,
  killedCarriers,
  killedPrograms,
  usage,
  herd,
  loss,
  noLeak,
  hostile,
  firewall,
  fullPools,
]
