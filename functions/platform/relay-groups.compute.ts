/**
 * Asks Compute Engine which cell a VM belongs to: the one whose managed instance group lists it. Lists are kept for
 * five minutes. An unlisted VM makes them be read again, at most every ten seconds, so a new VM gets in at once. While
 * Compute Engine is away the last list counts for an hour. Needs compute.instanceGroupManagers.get.
 */
import type { Clock } from '@porttunneler/shared/base/clock'
import { isFailure } from '@porttunneler/shared/base/errors'
import { z } from 'zod'
import type { GoogleRest } from './google-rest.ts'

export type RelayGroup = {
  readonly cell: string
  /** `zones/<zone>/instanceGroupManagers/<name>` or `regions/<region>/instanceGroupManagers/<name>`. */
  readonly path: string
  /** The e-mail address of the service account that the VMs of this group run as. */
  readonly serviceAccount: string
}
export type Instance = { readonly id: string; readonly zone: string }

export interface RelayGroups {
  /** The group that lists the instance. @throws cloud.unavailable, cloud.refused */
  groupOf(instance: Instance): Promise<RelayGroup | undefined>
}

export const listMs = 300_000
const staleMs = 3_600_000
const relistMs = 10_000
/** 500 on each page: a cell has at most 16 relays. */
const pagesMax = 4

const pageSchema = z.object({
  managedInstances: z.array(z.object({ id: z.string().optional() })).default([]),
  nextPageToken: z.string().optional(),
})

export type RelayGroupsOptions = {
  readonly projectId: string
  readonly groups: readonly RelayGroup[]
  readonly rest: GoogleRest
  readonly clock: Clock
  readonly computeUrl?: string
}

export function openComputeGroups(options: RelayGroupsOptions): RelayGroups {
  const lists = options.groups.map((group) => new GroupList(group, options))
  return {
    async groupOf({ id, zone }) {
      const near = lists.filter(({ group }) => isIn(group.path, zone))
      for (const maxAgeMs of [listMs, relistMs])
        for (const list of near) if ((await list.members(maxAgeMs)).has(id)) return list.group
      return undefined
    },
  }
}

class GroupList {
  readonly group: RelayGroup
  readonly #options: RelayGroupsOptions
  #known: { readonly members: ReadonlySet<string>; readonly readAt: number } | undefined
  /** Shared by all callers meanwhile. */
  #reading: Promise<ReadonlySet<string>> | undefined

  constructor(group: RelayGroup, options: RelayGroupsOptions) {
    this.group = group
    this.#options = options
  }

  async members(maxAgeMs: number): Promise<ReadonlySet<string>> {
    const known = this.#known
    const ageMs = known ? this.#options.clock.monotonic() - known.readAt : Number.POSITIVE_INFINITY
    if (known && ageMs < maxAgeMs) return known.members
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined
    })
    try {
      return await this.#reading
    } catch (error) {
      if (!known || ageMs > staleMs || !isFailure(error, 'cloud.unavailable')) throw error
      return known.members
    }
  }

  async #read(): Promise<ReadonlySet<string>> {
    const { rest, clock, projectId, computeUrl = 'https://compute.googleapis.com' } = this.#options
    const base = `${computeUrl}/compute/v1/projects/${projectId}/${this.group.path}/listManagedInstances`
    const members = new Set<string>()
    let token: string | undefined
    for (let page = 0; page < pagesMax; page++) {
      const query = new URLSearchParams({ maxResults: '500', ...(token && { pageToken: token }) })
      const { managedInstances, nextPageToken } = await rest.call({
        url: `${base}?${query}`,
        body: {},
        schema: pageSchema,
      })
      // A VM that is still being created has no id yet, and cannot call either.
      for (const { id } of managedInstances) if (id !== undefined) members.add(id)
      token = nextPageToken
      if (token === undefined) break
    }
    this.#known = { members, readAt: clock.monotonic() }
    return members
  }
}

function isIn(path: string, zone: string): boolean {
  const [kind, place = ''] = path.split('/')
  return kind === 'zones' ? zone === place : zone.startsWith(`${place}-`)
}
