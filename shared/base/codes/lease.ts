/** PT-2nnn: tunnels, endpoints, leases, quotas. */
import type { ErrorEntry } from '../errors.ts'

export const leaseCodes = {} as const satisfies Record<string, ErrorEntry>
