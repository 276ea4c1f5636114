/**
 * Something of which there is only so much, shared by strangers. Each member stands on a path of holders, the larger
 * first: account, tunnel, network, address. While there is room everybody comes in. When it is full the largest holder
 * yields one to whoever holds less, level by level; a newcomer that is of the largest itself takes the place of one of
 * its own, or is refused. So a share binds only under contention, and nobody can shut out anybody else.
 */

/** newest: who is in stays, so of the largest holder the last one goes. oldest: who means well is done by now. */
export type Yields = 'newest' | 'oldest'

export type FairPoolOptions = {
  /** Of all members. */
  readonly limit: number
  readonly yields: Yields
}

/** So few are never worth it. */
const idleMin = 16

type Drop = (depth: number) => void

/** Items in the order they came, of which any may leave. */
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
  readonly drop: Drop
}

type Holder<Member> = {
  before: Holder<Member> | undefined
  after: Holder<Member> | undefined
  readonly key: string
  readonly parent: Holder<Member> | undefined
  count: number
  /** Children that hold nothing now. A key that comes and goes a thousand times must not make its map slow. */
  idle: number
  children: Map<string, Holder<Member>> | undefined
  /** Children by their count, so that the largest is known at once: a flood asks for it at every connection. */
  ranks: Map<number, Line<Holder<Member>>> | undefined
  largest: number
  /** That stand right here. */
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

  /** How many stand below `path`. */
  count(path: readonly string[]): number {
    let holder: Holder<Member> | undefined = this.#root
    for (const key of path) holder = holder?.children?.get(key)
    return holder?.count ?? 0
  }

  /**
   * Takes `member` in; whoever yields for it is dropped first.
   * @param drop ends a member that yields, which is none any more by then; told the limit's depth, 0 for the pool's
   * @param limits of the holders on the path, the first one's first; absent: none
   * @returns undefined, or the depth of the limit at which it was refused
   */
  add(
    member: Member,
    path: readonly string[],
    drop: Drop,
    limits: readonly (number | undefined)[] = [],
  ): number | undefined {
    // The deepest first: who yields there makes room above, too.
    for (let depth = path.length; depth >= 0; depth--) {
      while (this.#isFull(path, depth, limits)) {
        const entry = this.#whoYields(path, depth)
        if (!entry) return depth
        this.#remove(entry)
        entry.drop(depth)
      }
    }
    this.#enter(member, path, drop)
    return undefined
  }

  /** It turns out to be somebody else's: from now on it counts on `path`, as one that has just come there. */
  move(member: Member, path: readonly string[]): void {
    const entry = this.#entries.get(member)
    if (!entry) return
    this.#remove(entry)
    this.#enter(member, path, entry.drop)
  }

  /** What `add` would return, without anybody yielding. */
  refusal(path: readonly string[], limits: readonly (number | undefined)[] = []): number | undefined {
    for (let depth = path.length; depth >= 0; depth--) {
      if (!this.#isFull(path, depth, limits)) continue
      return this.#whoYields(path, depth) ? undefined : depth
    }
    return undefined
  }

  /** It is over, or no longer of this kind. */
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
      entry.drop(0)
    }
  }

  #isFull(path: readonly string[], depth: number, limits: readonly (number | undefined)[]): boolean {
    const limit = depth === 0 ? this.#options.limit : limits[depth - 1]
    return limit !== undefined && this.count(path.slice(0, depth)) >= limit
  }

  /** Who makes way for a newcomer on `path` below the holder at `depth`. */
  #whoYields(path: readonly string[], depth: number): Entry<Member> | undefined {
    const { yields } = this.#options
    let holder = this.#root
    for (const key of path.slice(0, depth)) holder = holder.children?.get(key) as Holder<Member>
    for (const key of path.slice(depth)) {
      const own = holder.children?.get(key)
      // One more than the newcomer's would be equal: they would only change places, again and again.
      if (holder.largest > (own?.count ?? 0) + 1) return this.#pick(holder)
      if (!own) return yields === 'oldest' ? this.#pick(holder) : undefined
      holder = own
    }
    return yields === 'oldest' ? this.#pick(holder) : undefined
  }

  /** Of the largest below `from`. */
  #pick(from: Holder<Member>): Entry<Member> | undefined {
    let holder = from
    while (holder.largest > 0) {
      const largest = holder.ranks?.get(holder.largest)?.[this.#options.yields]
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

  #enter(member: Member, path: readonly string[], drop: Drop): void {
    const holder = this.#holderOf(path)
    const entry: Entry<Member> = { member, holder, drop, before: undefined, after: undefined }
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
    // Most holders are one address with one connection: these cost more than it does.
    children: undefined,
    ranks: undefined,
    largest: 0,
    members: undefined,
    before: undefined,
    after: undefined,
  }
}

/** Counts change by one, so the largest is the one it was or the next. */
function recount<Member>(holder: Holder<Member>, change: 1 | -1): void {
  const { parent, count } = holder
  if (count > 0) unrank(holder)
  holder.count += change
  if (!parent) return
  if (holder.count > 0) rank(holder)
  if (count === 0) parent.idle -= 1
  else if (holder.count === 0) {
    parent.idle += 1
    sweep(parent)
  }
  if (change < 0 && parent.largest === count && !parent.ranks?.has(count)) parent.largest = count - 1
}

/** Forgets idle children, seldom: V8 keeps what is deleted from a map in its chains until it is made anew. */
function sweep<Member>(holder: Holder<Member>): void {
  const { children, idle } = holder
  if (!children || idle <= idleMin || idle * 2 < children.size) return
  holder.children = new Map([...children].filter(([, child]) => child.count > 0))
  holder.idle = 0
}

function rank<Member>(holder: Holder<Member>): void {
  const { parent, count } = holder
  if (!parent) return
  parent.ranks ??= new Map()
  const equals = parent.ranks.get(count) ?? new Line()
  equals.append(holder)
  parent.ranks.set(count, equals)
  parent.largest = Math.max(parent.largest, count)
}

function unrank<Member>(holder: Holder<Member>): void {
  const { parent, count } = holder
  const equals = parent?.ranks?.get(count)
  equals?.remove(holder)
  if (!equals?.oldest) parent?.ranks?.delete(count)
}
