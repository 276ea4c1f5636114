/**
 * Names tunnels that come without a name. The name follows from the request, so a repeated request finds what the first
 * one made. If two requests get the same name, each sees whose it is, and the later one takes its next name.
 */
import { createHash } from 'node:crypto'
import type { Caller } from './caller.ts'
import { readyRelays } from './cells.ts'
import { type Control, controlOf } from './control.ts'
import { type EndpointDoc, endpoints, type TunnelDoc } from './documents.ts'
import { isAway } from './lease-rules.ts'
import type { Snapshot } from './platform.ts'
import { queries } from './query-table.ts'
import { readableName } from './readable-names.ts'
import { draftTunnel, findTunnelByName, type NewTunnel } from './tunnels.ts'

/**
 * For one claim. There are millions of names, and thousands in use: a second try is rare, a third one nearly never
 * happens.
 */
const attemptsMax = 8

type Wish = Pick<NewTunnel, 'kind' | 'agents'> & {
  readonly agent: string
  /** For this tunnel of this request. */
  readonly seed: string
  /** Names that other tunnels of the same request have got. */
  readonly used: ReadonlySet<string>
}
export type Drafting = {
  readonly tunnel: Snapshot<TunnelDoc>
  /** The same tunnel under its next name; undefined after too many. */
  readonly redraft?: () => Snapshot<TunnelDoc> | undefined
}

/** Finds what this request made before, or one that this agent had and nobody serves now; or drafts a new one. */
export async function findGenerated(control: Control, caller: Caller, wish: Wish): Promise<Drafting> {
  const own = controlOf(control, caller.account)
  const request = createHash('sha256').update(wish.seed).digest('hex').slice(0, 32)
  let attempt = 0
  for (; attempt < attemptsMax; attempt++) {
    const same = await findTunnelByName(own, caller.account, readableName(wish.seed, attempt))
    if (!same) break
    if (same.data.request === request) return { tunnel: same }
  }
  const idle = await findIdle(control, caller.account, wish)
  if (idle) return { tunnel: idle }
  const draft = () => {
    const name = readableName(wish.seed, attempt++)
    const { kind, agents = 'one' } = wish
    const input = { name, kind, agents, policy: {}, generated: true, request }
    return draftTunnel(caller, input, control.clock.now())
  }
  return { tunnel: draft(), redraft: () => (attempt < attemptsMax ? draft() : undefined) }
}

async function findIdle(
  control: Control,
  account: string,
  { agent, kind, used }: Wish,
): Promise<Snapshot<TunnelDoc> | undefined> {
  const where = { account, agent, kind, generated: true }
  const { items } = await control.store.query(queries.generatedTunnels, { where, limit: 50 })
  const held = await control.store.getAll(items.map(({ data }) => endpoints.ref(data.endpoint)))
  const idle = await Promise.all(
    items.map(async ({ ref, data: { name } }, index) => {
      const isHeld = held[index]?.data.state === 'leased' && held[index].data.tunnel === ref.id
      return !used.has(name) && (!isHeld || (await isLeft(control, held[index]?.data)))
    }),
  )
  return items.find((_, index) => idle[index])
}

/** The process that had it is gone without a release, and every relay has said so. */
async function isLeft(control: Control, held: EndpointDoc | undefined): Promise<boolean> {
  return held !== undefined && isAway(held, readyRelays(control, await control.cells.lately(held.cell)))
}
