/** The stacks in the order in which they are applied: each needs what those before it made. */
import { App } from 'cdktf'
import type { Environment } from '../environment.ts'
import { ControlStack } from './control.ts'
import { EdgeStack } from './edge.ts'
import { IdentityStack } from './identity.ts'
import { NetworkStack } from './network.ts'
import { ObservabilityStack } from './observability.ts'
import type { PorttunnelerStack } from './porttunneler-stack.ts'
import { ProjectStack } from './project.ts'
import { RelaysStack } from './relays.ts'

const kinds = [
  ProjectStack,
  NetworkStack,
  IdentityStack,
  ControlStack,
  RelaysStack,
  EdgeStack,
  ObservabilityStack,
]

export type Synthesis = {
  readonly app: App
  readonly stacks: readonly PorttunnelerStack[]
}

/**
 * @param outdir gets `stacks/<name>/cdk.tf.json`
 * @param stateFolder for tests; else the state is in the environment's bucket
 */
export function makeStacks(environment: Environment, outdir: string, stateFolder?: string): Synthesis {
  // Analytics would add the machine's facts to each file, and so change it from machine to machine.
  const app = new App({ outdir, skipValidation: false })
  const options = { environment, ...(stateFolder !== undefined && { stateFolder }) }
  return { app, stacks: kinds.map((Kind) => new Kind(app, options)) }
}
