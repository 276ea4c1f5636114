/** PT-5nnn: starting and running a relay or a standalone server. */
import type { ErrorEntry } from '../errors.ts'

export const hostCodes = {} as const satisfies Record<string, ErrorEntry>
