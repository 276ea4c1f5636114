/** PT-1nnn: accounts, sign-in, keys. */
import type { ErrorEntry } from '../errors.ts'

export const accountCodes = {} as const satisfies Record<string, ErrorEntry>
