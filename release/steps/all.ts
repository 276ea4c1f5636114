/** The steps of a release, in order. */
import type { Step } from '../release.ts'
import { build, upload } from './archives.ts'
import { checkout } from './checkout.ts'
import { apply, hold, plan } from './stacks.ts'
import { canary, rest, settle, watchCanary } from './traffic.ts'
import { web } from './web.ts'

export const steps: readonly Step[] = [
  checkout,
  build,
  upload,
  plan,
  hold,
  apply,
  canary,
  watchCanary,
  rest,
  settle,
  web,
]
