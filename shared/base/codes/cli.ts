/** PT-6nnn: the command line and its configuration. */
import type { ErrorEntry } from '../errors.ts'

export const cliCodes = {} as const satisfies Record<string, ErrorEntry>
