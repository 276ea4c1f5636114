/** PT-4nnn: what a visitor meets at an endpoint. */
import type { ErrorEntry } from '../errors.ts'

export const visitorCodes = {} as const satisfies Record<string, ErrorEntry>
