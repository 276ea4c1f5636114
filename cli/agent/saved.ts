/**
 * What an agent keeps between runs, in its user's state folder, mode 0600: its own id, and for each tunnel the last
 * lease with its ticket. One file for each tunnel, so several ptun processes never write the same one. Losing them
 * costs a little time at the next start, so a damaged file counts as none, and an agent that cannot keep anything runs
 * without: it says so once, tries again every ten seconds, and says when it can.
 */

import { createHash } from 'node:crypto'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { leaseSchema, relayAddressSchema } from '@porttunneler/shared/api/schemas/tunnels'
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import { fail, isFailure, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import { newId } from '@porttunneler/shared/base/ids'
import { sayFileError } from '@porttunneler/shared/base/system-errors'
import { policySchema } from '@porttunneler/shared/protocol/endpoint'
import { z } from 'zod'
import { type Environment, errnoOf, makePrivateFolder, stateFolder, writePrivateFile } from '../paths.ts'
import type { SavedLease, WantedTunnel } from './tunnels.ts'
import { formatUpstream } from './upstream.ts'

const savedSchema = z.object({
  version: z.literal(1),
  /** Server and account; leases of others are not ours to bind. */
  owner: z.string(),
  /** `tcp localhost:5432` for a tunnel with a generated name, by which it is found again. */
  nameless: z.string().optional(),
  savedAt: z.int(),
  lease: leaseSchema,
  relays: z.array(relayAddressSchema),
  policy: policySchema.partial().exactOptional(),
})
type Saved = z.infer<typeof savedSchema>

const agentSchema = z.object({
  agent: z.string().regex(/^agt_[0-9a-z]{26}$/),
  /** Whose it is; releases up to 0.1 did not say. */
  member: z.string().optional(),
})
type AgentFile = z.infer<typeof agentSchema>

/** Files of leases that nobody used for this long are removed. */
const keptMs = 30 * 86_400_000
/** More files than any user has tunnels; in another kind of folder, reading stops here. */
const filesMax = 2_000

/** A failed write is tried again after this. */
const againMs = 10_000

export type AgentState = {
  readonly agent: string
  /** Undefined: nothing is kept between runs. */
  readonly folder?: string
  /** Why the id could not be kept; it is tried again later where there is a folder. */
  readonly failure?: PortTunnelerError
}

/**
 * An agent without a writable folder still works, as a different one each time.
 * @param member the person who signed in, if that is known
 */
export async function openState(env: Environment, nowMs: number, member?: string): Promise<AgentState> {
  let folder: string | undefined
  try {
    folder = stateFolder(env)
    return { folder, agent: await readAgentId(folder, nowMs, member) }
  } catch (error) {
    if (!isFailure(error, 'cli.folder')) throw error
    return { agent: newId('agt', nowMs), failure: error, ...(folder !== undefined && { folder }) }
  }
}

/**
 * The id of this user on this machine, made at the first run. Two people who share the user of a system have an id
 * each: with one, each would take the other's tunnels over without being asked.
 * @throws cli.folder
 */
export async function readAgentId(folder: string, nowMs: number, member?: string): Promise<string> {
  const path = join(folder, 'agent.json')
  // Also at later runs: an older release may have made it with a wider mode.
  await makePrivateFolder(folder)
  const known = await readAgentFile(path)
  const isMine = member === undefined || known?.member === undefined || known.member === member
  if (known && !isMine) return makeAgentId(join(folder, `agent-${digest(member)}.json`), nowMs, member)
  if (!known) return makeAgentId(path, nowMs, member)
  const { agent } = known
  // From now on it is theirs alone.
  if (member !== known.member && member !== undefined)
    await writePrivateFile(path, textOfAgent({ agent, member }))
  return agent
}

async function makeAgentId(path: string, nowMs: number, member: string | undefined): Promise<string> {
  const known = await readAgentFile(path)
  if (known) return known.agent
  const agent = newId('agt', nowMs)
  const text = textOfAgent({ agent, ...(member !== undefined && { member }) })
  try {
    // 'wx': when two first runs meet, the second one reads what the first one wrote.
    await writeFile(path, text, { mode: 0o600, flag: 'wx' })
    return agent
  } catch (cause) {
    const isThere = errnoOf(cause) === 'EEXIST'
    const winner = isThere ? await readAgentFile(path) : undefined
    if (winner) return winner.agent
    if (isThere) {
      // An earlier run had no room for what it began to write.
      await writePrivateFile(path, text)
      return agent
    }
    throw fail('cli.folder', `${path} cannot be written${sayFileError(cause)}.`, {
      cause,
    })
  }
}

function textOfAgent(file: AgentFile): string {
  return `${JSON.stringify(file)}\n`
}

async function readAgentFile(path: string): Promise<AgentFile | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '')
  return agentSchema.safeParse(parse(text)).data
}

export type SavedLeasesOptions = {
  /** Undefined: nothing is kept or found. */
  readonly folder?: string | undefined
  /** The agent's id where it is not on disk yet, and that has been told. */
  readonly unkeptAgent?: string | undefined
  readonly server: string
  /** The account, or its stand-in. */
  readonly account: string
  readonly clock: Clock
  /** Called once when nothing can be written, until something was. */
  onLost(failure: PortTunnelerError): void
  /** Everything is written. */
  onFound(): void
}

export class SavedLeases {
  readonly #options: SavedLeasesOptions
  readonly #folder: string | undefined
  readonly #owner: string
  /** What is not on disk yet, by path. */
  readonly #unsaved = new Map<string, string>()
  #writes: Promise<void> = Promise.resolve()
  #isLost = false
  #again: Timer | undefined

  constructor(options: SavedLeasesOptions) {
    const { folder, server, account } = options
    this.#options = options
    this.#folder = folder && join(folder, 'leases')
    this.#owner = digest(`${server}\n${account}`)
    const { unkeptAgent } = options
    if (folder === undefined || unkeptAgent === undefined) return
    this.#isLost = true
    this.#unsaved.set(join(folder, 'agent.json'), textOfAgent({ agent: unkeptAgent }))
    this.#tryAgain()
  }

  /**
   * Finds the lease of each wanted tunnel. One without a name gets the newest that was made for the same upstream and
   * that no other process uses now (`taken` has their names).
   */
  async find(
    wanted: readonly WantedTunnel[],
    { taken, nowMs }: { taken: ReadonlySet<string>; nowMs: number },
  ): Promise<readonly (SavedLease | undefined)[]> {
    const all = await this.#readAll(nowMs)
    const used = new Set(taken)
    return wanted.map((tunnel) => {
      const match = all.find((saved) => isFor(saved, tunnel) && !used.has(saved.lease.name))
      if (!match) return undefined
      used.add(match.lease.name)
      const { lease, relays, policy } = match
      return { lease, relays, ...(policy && { policy }) }
    })
  }

  /** Writes in the background, in order, and again later after a failure; it blocks nothing. */
  save(tunnel: WantedTunnel, saved: SavedLease, nowMs: number): void {
    if (this.#folder === undefined) return
    const file: Saved = {
      version: 1,
      owner: this.#owner,
      ...(tunnel.name === undefined && { nameless: namelessKey(tunnel) }),
      savedAt: nowMs,
      lease: saved.lease,
      relays: [...saved.relays],
      ...(saved.policy && { policy: saved.policy }),
    }
    this.#unsaved.set(this.#path(this.#folder, saved.lease.name), `${JSON.stringify(file)}\n`)
    this.#queue(async () => {})
  }

  /** It was given back: the ticket is useless now, but the same tunnel is requested again. */
  retire({ name, ticket }: { name: string; ticket: string }): void {
    if (this.#folder === undefined) return
    const path = this.#path(this.#folder, name)
    this.#queue(async () => {
      const text = this.#unsaved.get(path) ?? (await readFile(path, 'utf8').catch(() => ''))
      const { data } = savedSchema.safeParse(parse(text))
      if (data?.lease.ticket !== ticket) return
      const retired: Saved = { ...data, lease: { ...data.lease, ticketExpiresAt: 0 } }
      this.#unsaved.set(path, `${JSON.stringify(retired)}\n`)
    })
  }

  /** Forgets a lease, unless another process of this machine has taken it over and saved its own meanwhile. */
  forget({ name, ticket }: { name: string; ticket: string }): void {
    if (this.#folder === undefined) return
    const path = this.#path(this.#folder, name)
    this.#unsaved.delete(path)
    this.#queue(async () => {
      const { data } = savedSchema.safeParse(parse(await readFile(path, 'utf8').catch(() => '')))
      if (!data || data.lease.ticket === ticket) await rm(path, { force: true })
    })
  }

  /** Resolves when everything requested is on disk, or was refused; nothing is tried again after that. */
  settled(): Promise<void> {
    this.#again?.clear()
    return this.#writes
  }

  #queue(work: () => Promise<void>): void {
    this.#writes = this.#writes
      .then(work)
      .then(() => this.#writeAll())
      .then(
        () => this.#noteWritten(),
        (error: unknown) => this.#noteFailed(error),
      )
  }

  async #writeAll(): Promise<void> {
    for (const [path, text] of this.#unsaved) {
      await writePrivateFile(path, text)
      if (this.#unsaved.get(path) === text) this.#unsaved.delete(path)
    }
  }

  #noteWritten(): void {
    if (!this.#isLost) return
    this.#isLost = false
    this.#options.onFound()
  }

  #noteFailed(cause: unknown): void {
    const { onLost } = this.#options
    this.#tryAgain()
    if (this.#isLost) return
    this.#isLost = true
    onLost(
      isFailure(cause)
        ? cause
        : fail('cli.folder', `A lease cannot be kept${sayFileError(cause)}`, { cause }),
    )
  }

  #tryAgain(): void {
    this.#again?.clear()
    const { clock } = this.#options
    this.#again = clock.after(againMs, () => this.#queue(async () => {}), { background: true })
  }

  #path(folder: string, name: string): string {
    return join(folder, `${digest(`${this.#owner}\n${name}`)}.json`)
  }

  /** Leases of this owner, newest first. */
  async #readAll(nowMs: number): Promise<readonly Saved[]> {
    const folder = this.#folder
    if (folder === undefined) return []
    const names = await readdir(folder).catch(() => [])
    const mine: Saved[] = []
    for (const name of names.filter((one) => one.endsWith('.json')).slice(0, filesMax)) {
      const path = join(folder, name)
      const { data } = savedSchema.safeParse(parse(await readFile(path, 'utf8').catch(() => '')))
      if (data?.owner === this.#owner) mine.push(data)
      // A folder that cannot be written keeps old files.
      else if (!data || nowMs - data.savedAt > keptMs) await rm(path, { force: true }).catch(() => undefined)
    }
    return mine.sort((a, b) => b.savedAt - a.savedAt)
  }
}

function isFor({ lease, nameless }: Saved, tunnel: WantedTunnel): boolean {
  if (lease.kind !== tunnel.kind) return false
  if (tunnel.port !== undefined && lease.endpoint.port !== tunnel.port) return false
  return tunnel.name === undefined ? nameless === namelessKey(tunnel) : lease.name === tunnel.name
}

function namelessKey({ kind, upstream }: WantedTunnel): string {
  return `${kind} ${formatUpstream(upstream)}`
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Empty or damaged: the schema refuses it.
    return undefined
  }
}
