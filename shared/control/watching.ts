/** What the shells have for watching the service, where it is set up. */
import type { Telemetry } from '../base/telemetry.ts'
import type { ServiceWatch } from './alerts/sense.ts'
import type { Logs } from './logs/role.ts'

export type Watching = ServiceWatch & {
  /** Undefined: nobody can search the log from here. */
  readonly logs?: Logs
  /** Undefined: no spans are sent anywhere. */
  readonly telemetry?: Telemetry
}
