/** Where the log of all programs can be searched: an index of its own on one machine, Cloud Logging at Google. */
import type { LogLine } from './line.ts'
import type { LogQuery } from './query.ts'

export type LogPage = {
  /** The newest first. An empty page may have a next one: not everything was looked at yet. */
  readonly lines: readonly LogLine[]
  /** Where the next page begins; opaque, of this query alone. */
  readonly next?: string
}

/** Has a contract suite: shared/testing/logs.contract.ts. */
export interface Logs {
  /** @throws api.cursor for a position of another query; store.unavailable, cloud.unavailable, cloud.refused */
  search(
    query: LogQuery,
    page: { readonly limit: number; readonly after?: string | undefined },
  ): Promise<LogPage>
}
