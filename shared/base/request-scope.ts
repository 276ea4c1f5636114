/**
 * Which request of the API is being answered, for every line that is logged meanwhile, however deep in the rules: so
 * `request:ID` finds all of them. The id is made at the edge (api/middleware.ts), never taken from the caller, who
 * could give that of somebody else.
 */
import { AsyncLocalStorage } from 'node:async_hooks'

export type RequestFields = { readonly requestId: string }
const current = new AsyncLocalStorage<RequestFields>()

/** Runs `handle`, and all that it begins, within this request. */
export function withinRequest<T>(requestId: string, handle: () => T): T {
  return current.run({ requestId }, handle)
}

/** Fields for a line of the log; a new object each time, which pino adds to. */
export function requestFields(): { requestId?: string } {
  return { ...current.getStore() }
}
