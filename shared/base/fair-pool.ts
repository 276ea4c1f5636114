/**
 * A limited resource shared by strangers. Each member has a path of holders, the larger first: account, tunnel,
 * network, address. While there is room, everybody is admitted. When the pool is full, the largest holder yields one
 * member to a smaller one, level by level; a newcomer that belongs to the largest holder replaces one of that holder's
 * own members, or is refused. So shares matter only when the pool is full, and nobody can shut out anybody else, with
 * one exception: in a patient pool, somebody who is as many holders as there are places.
 */

import type { Clock } from './clock.ts'

/** Which member of the largest holder yields. newest: early members stay. oldest: honest members are done by then. */
export type Yields = 'newest' | 'oldest'

export type FairPoolOptions = {
  /** Maximum number of members. */
  readonly limit: number
  readonly yields: Yields
  /**
   * Where the oldest yields: for this long, in ms, it yields only to holders that have less, not to an equal. For work
   * that takes a while: in a rush each newcomer would otherwise end one that is nearly done, and none would be.
   */
  readonly patience?: { readonly clock: Clock; readonly ms: number }
}

/** It is not worth sweeping fewer idle children than this. */
const idleMin = 16

/**
 * Ends a member that yields, after the pool removed it. `depth` is that of the limit (0: the pool's). A pool with many
 * members should get the same function for all of them.
 */
type Drop<Member> = (depth: number, member: Member) => void

/** A linked list in order of arrival; any item can be removed. */
class Line<Item extends { before: Item | undefined; after: Item | undefined }> {
  oldest: Item | undefined
  newest: Item | undefined

  append(item: Item): void {
    item.before = this.newest
    item.after = undefined
    if (this.newest) this.newest.after = item
    else this.oldest = item
    this.newest = item
  }

  remove(item: Item): void {
    const { before, after } = item
    if (before) before.after = after
    else this.oldest = after
    if (after) after.before = before
    else this.newest = before
  }
}

type Entry<Member> = {
  before: Entry<Member> | undefined
  after: Entry<Member> | undefined
  readonly member: Member
  readonly holder: Holder<Member>
  readonly drop: Drop<Member>
  /** When it came; 0 where nobody asks. */
  readonly atMs: number
}

/**
 * The children of one holder that have the same count. Ranks are linked in order of their counts, so that the largest
 * is known at once (under a flood every connection asks for it), and a count that changes by one finds its next rank
 * beside its own.
 */
type Rank<Member> = {
  count: number
  readonly holders: Line<Holder<Member>>
  above: Rank<Member> | undefined
  below: Rank<Member> | undefined
}

type Holder<Member> = {
  before: Holder<Member> | undefined
  after: Holder<Member> | undefined
  readonly key: string
  readonly parent: Holder<Member> | undefined
  count: number
  /**
   * Children that hold nothing now. They are counted so that a key that comes and goes a thousand times does not slow
   * down the map.
   */
  idle: number
  children: Map<string, Holder<Member>> | undefined
  /** Its rank among the children of `parent`, if it holds anything. */
  rank: Rank<Member> | undefined
  /** Those of its own children. */
  highest: Rank<Member> | undefined
  lowest: Rank<Member> | undefined
  /** Members that belong directly to this holder, not to a child. */
  members: Line<Entry<Member>> | undefined
}

export class FairPool<Member> {
  readonly #options: FairPoolOptions
  readonly #entries = new Map<Member, Entry<Member>>()
  readonly #root: Holder<Member> = newHolder('', undefined)

  constructor(options: FairPoolOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#entries.size
  }

  /** All of them, oldest first. */
  members(): Iterable<Member> {
    return this.#entries.keys()
  }

  has(member: Member): boolean {
    return this.#entries.has(member)
  }

  /** How many members are below `path`. */
  count(path: readonly string[]): number {
    return this.#countAt(path, path.length)
  }

  /**
   * Admits `member`. A member that yields for it is dropped first.
   * @param drop ends `member` when it yields
   * @param limits the limits of the holders on the path, in the same order; undefined means none
   * @returns undefined, or the depth of the limit that refused it
   */
  add(
    member: Member,
    path: readonly string[],
    drop: Drop<Member>,
    limits: readonly (number | undefined)[] = [],
  ): number | undefined {
    // Start at the deepest limit: a member that yields there also makes room in the levels above.
    for (let depth = path.length; depth >= 0; depth--) {
      while (this.#isFull(path, depth, limits)) {
        const entry = this.#whoYields(path, depth)
        if (!entry) return depth
        this.#remove(entry)
        entry.drop(depth, entry.member)
      }
    }
    this.#enter(member, path, drop)
    return undefined
  }

  /** Moves a member that turns out to belong to `path`. It counts there as the newest. */
  move(member: Member, path: readonly string[]): void {
    const entry = this.#entries.get(member)
    if (!entry) return
    this.#remove(entry)
    this.#enter(member, path, entry.drop)
  }

  /** What `add` would return, but nobody yields. */
  refusal(path: readonly string[], limits: readonly (number | undefined)[] = []): number | undefined {
    for (let depth = path.length; depth >= 0; depth--) {
      if (!this.#isFull(path, depth, limits)) continue
      return this.#whoYields(path, depth) ? undefined : depth
    }
    return undefined
  }

  /** Removes a member that has ended or no longer belongs in this pool. */
  remove(member: Member): void {
    const entry = this.#entries.get(member)
    if (entry) this.#remove(entry)
  }

  /** Ends the `count` oldest. */
  shed(count: number): void {
    let left = count
    for (const entry of this.#entries.values()) {
      if (left-- <= 0) return
      this.#remove(entry)
      entry.drop(0, entry.member)
    }
  }

  /** How many members are below the holder at `depth` of `path`. */
  #countAt(path: readonly string[], depth: number): number {
    let holder: Holder<Member> | undefined = this.#root
    for (let level = 0; level < depth; level++) holder = holder?.children?.get(path[level] ?? '')
    return holder?.count ?? 0
  }

  #isFull(path: readonly string[], depth: number, limits: readonly (number | undefined)[]): boolean {
    const limit = depth === 0 ? this.#options.limit : limits[depth - 1]
    return limit !== undefined && this.#countAt(path, depth) >= limit
  }

  /** Finds the member that yields to a newcomer on `path`, below the holder at `depth`. */
  #whoYields(path: readonly string[], depth: number): Entry<Member> | undefined {
    let holder = this.#root
    for (const key of path.slice(0, depth)) holder = holder.children?.get(key) as Holder<Member>
    for (const key of path.slice(depth)) {
      const own = holder.children?.get(key)
      // With one more than the newcomer's count, the two would change places again and again.
      if ((holder.highest?.count ?? 0) > (own?.count ?? 0) + 1) return this.#pick(holder)
      if (!own) return this.#pickForEqual(holder)
      holder = own
    }
    return this.#pickForEqual(holder)
  }

  /** Who yields to a newcomer that has as much as the largest below `from`, or belongs to it. */
  #pickForEqual(from: Holder<Member>): Entry<Member> | undefined {
    const { yields, patience } = this.#options
    if (yields !== 'oldest') return undefined
    const entry = this.#pick(from)
    const isYoung = entry && patience && patience.clock.monotonic() - entry.atMs < patience.ms
    return isYoung ? undefined : entry
  }

  /** Picks a member of the largest holder below `from`. */
  #pick(from: Holder<Member>): Entry<Member> | undefined {
    let holder = from
    for (;;) {
      const largest = holder.highest?.holders[this.#options.yields]
      if (!largest) break
      holder = largest
    }
    return holder.members?.[this.#options.yields]
  }

  #holderOf(path: readonly string[]): Holder<Member> {
    let holder = this.#root
    for (const key of path) {
      let child = holder.children?.get(key)
      if (!child) {
        child = newHolder(key, holder)
        holder.children ??= new Map()
        holder.children.set(key, child)
        holder.idle += 1
      }
      holder = child
    }
    return holder
  }

  #enter(member: Member, path: readonly string[], drop: Drop<Member>): void {
    const holder = this.#holderOf(path)
    const atMs = this.#options.patience?.clock.monotonic() ?? 0
    const entry: Entry<Member> = { member, holder, drop, atMs, before: undefined, after: undefined }
    this.#entries.set(member, entry)
    holder.members ??= new Line()
    holder.members.append(entry)
    for (let above: Holder<Member> | undefined = holder; above; above = above.parent) recount(above, 1)
  }

  #remove(entry: Entry<Member>): void {
    this.#entries.delete(entry.member)
    const { holder } = entry
    holder.members?.remove(entry)
    for (let above: Holder<Member> | undefined = holder; above; above = above.parent) recount(above, -1)
  }
}

function newHolder<Member>(key: string, parent: Holder<Member> | undefined): Holder<Member> {
  return {
    key,
    parent,
    count: 0,
    idle: 0,
    // Most holders are one address with one connection, and the map would cost more than the holder itself.
    children: undefined,
    rank: undefined,
    highest: undefined,
    lowest: undefined,
    members: undefined,
    before: undefined,
    after: undefined,
  }
}

function recount<Member>(holder: Holder<Member>, change: 1 | -1): void {
  const { parent, count } = holder
  holder.count = count + change
  if (!parent) return
  changeRank(parent, holder, change)
  if (count === 0) parent.idle -= 1
  else if (holder.count === 0) {
    parent.idle += 1
    sweep(parent)
  }
}

/** Forgets idle children, but seldom. V8 keeps deleted entries in a map's chains until the map is rebuilt. */
function sweep<Member>(holder: Holder<Member>): void {
  const { children, idle } = holder
  if (!children || idle <= idleMin || idle * 2 < children.size) return
  holder.children = new Map([...children].filter(([, child]) => child.count > 0))
  holder.idle = 0
}

/** The count of `holder` has changed by one. */
function changeRank<Member>(parent: Holder<Member>, holder: Holder<Member>, change: 1 | -1): void {
  const { rank, count } = holder
  const near = change < 0 ? rank?.below : rank ? rank.above : parent.lowest
  const isAlone = rank !== undefined && rank.holders.oldest === rank.holders.newest
  if (rank && isAlone && count > 0 && near?.count !== count) {
    rank.count = count
    return
  }
  if (rank) rank.holders.remove(holder)
  holder.rank = count === 0 ? undefined : near?.count === count ? near : rankBeside(parent, { rank, count })
  holder.rank?.holders.append(holder)
  if (rank && isAlone) unlink(parent, rank)
}

/** A new rank above or below `rank`; without one it is the lowest. */
function rankBeside<Member>(
  parent: Holder<Member>,
  { rank, count }: { rank: Rank<Member> | undefined; count: number },
): Rank<Member> {
  const isAbove = rank !== undefined && count > rank.count
  const below = isAbove ? rank : rank?.below
  const above = isAbove ? rank.above : (rank ?? parent.lowest)
  const fresh: Rank<Member> = { count, holders: new Line(), above, below }
  if (above) above.below = fresh
  else parent.highest = fresh
  if (below) below.above = fresh
  else parent.lowest = fresh
  return fresh
}

function unlink<Member>(parent: Holder<Member>, { above, below }: Rank<Member>): void {
  if (above) above.below = below
  else parent.highest = below
  if (below) below.above = above
  else parent.lowest = above
}
