/**
 * What an agent keeps between runs, in its user's state folder, mode 0600: its own id, and per tunnel the last lease
 * with its ticket. One file a tunnel, so several ptun processes never write the same one. Losing them costs a little
 * time at the next start, so a damaged file is as good as none.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { leaseSchema, relayAddressSchema } from '@porttunneler/shared/api/schemas/tunnels'
import { fail } from '@porttunneler/shared/base/errors'
import { newId } from '@porttunneler/shared/base/ids'
import { z } from 'zod'
import { errnoOf, makePrivateFolder, writePrivateFile } from '../paths.ts'
import type { SavedLease, WantedTunnel } from './tunnels.ts'
import { formatUpstream } from './upstream.ts'

const savedSchema = z.object({
  version: z.literal(1),
  /** Server and account; leases of others are not ours to bind. */
  owner: z.string(),
  /** `tcp localhost:5432` of a tunnel whose name the server made up: finds it again. */
  nameless: z.string().optional(),
  savedAt: z.int(),
  lease: leaseSchema,
  relays: z.array(relayAddressSchema),
})
type Saved = z.infer<typeof savedSchema>

const agentSchema = z.object({ agent: z.string().regex(/^agt_[0-9a-z]{26}$/) })

/** Files of leases that nobody used for this long are removed. */
const keptMs = 30 * 86_400_000
/** More files than any user has tunnels: a folder of another kind is not read through. */
const filesMax = 2_000

/**
 * The id of this user on this machine, made at the first run.
 * @throws cli.folder
 */
export async function readAgentId(folder: string, nowMs: number): Promise<string> {
  const path = join(folder, 'agent.json')
  const known = await readAgentFile(path)
  if (known) return known
  await makePrivateFolder(folder)
  const agent = newId('agt', nowMs)
  try {
    // 'wx': when two first runs meet, the second one reads what the first one wrote.
    await writeFile(path, `${JSON.stringify({ agent })}\n`, { mode: 0o600, flag: 'wx' })
    return agent
  } catch (cause) {
    const winner = errnoOf(cause) === 'EEXIST' ? await readAgentFile(path) : undefined
    if (winner) return winner
    throw fail('cli.folder', `${path} cannot be written: ${errnoOf(cause)}. Remove it if it is damaged.`, {
      cause,
    })
  }
}

async function readAgentFile(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '')
  return agentSchema.safeParse(parse(text)).data?.agent
}

export type SavedLeasesOptions = {
  readonly folder: string
  readonly server: string
  /** The account, or what stands for it. */
  readonly account: string
}

export class SavedLeases {
  readonly #folder: string
  readonly #owner: string
  #writes: Promise<void> = Promise.resolve()

  constructor({ folder, server, account }: SavedLeasesOptions) {
    this.#folder = join(folder, 'leases')
    this.#owner = digest(`${server}\n${account}`)
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
      return { lease: match.lease, relays: match.relays }
    })
  }

  /** Writes in the background, in order; a failure is the caller's to tell and stops nothing. */
  save(tunnel: WantedTunnel, saved: SavedLease, nowMs: number, onFailure: (error: unknown) => void): void {
    const file: Saved = {
      version: 1,
      owner: this.#owner,
      ...(tunnel.name === undefined && { nameless: namelessKey(tunnel) }),
      savedAt: nowMs,
      lease: saved.lease,
      relays: [...saved.relays],
    }
    this.#queue(() => writePrivateFile(this.#path(saved.lease.name), `${JSON.stringify(file)}\n`), onFailure)
  }

  /** It was given back: the ticket is of no use any more, but the same tunnel is asked for again. */
  retire({ name, ticket }: { name: string; ticket: string }, onFailure: (error: unknown) => void): void {
    const path = this.#path(name)
    this.#queue(async () => {
      const { data } = savedSchema.safeParse(parse(await readFile(path, 'utf8').catch(() => '')))
      if (data?.lease.ticket !== ticket) return
      const retired: Saved = { ...data, lease: { ...data.lease, ticketExpiresAt: 0 } }
      await writePrivateFile(path, `${JSON.stringify(retired)}\n`)
    }, onFailure)
  }

  /** Forgets a lease, unless another process of this machine has taken it over and saved its own meanwhile. */
  forget({ name, ticket }: { name: string; ticket: string }, onFailure: (error: unknown) => void): void {
    const path = this.#path(name)
    this.#queue(async () => {
      const { data } = savedSchema.safeParse(parse(await readFile(path, 'utf8').catch(() => '')))
      if (!data || data.lease.ticket === ticket) await rm(path, { force: true })
    }, onFailure)
  }

  /** Resolves when all that was asked for is on disk. */
  settled(): Promise<void> {
    return this.#writes
  }

  #queue(work: () => Promise<void>, onFailure: (error: unknown) => void): void {
    this.#writes = this.#writes.then(work).catch(onFailure)
  }

  #path(name: string): string {
    return join(this.#folder, `${digest(`${this.#owner}\n${name}`)}.json`)
  }

  /** Of this owner, newest first. */
  async #readAll(nowMs: number): Promise<readonly Saved[]> {
    const names = await readdir(this.#folder).catch(() => [])
    const mine: Saved[] = []
    for (const name of names.filter((one) => one.endsWith('.json')).slice(0, filesMax)) {
      const path = join(this.#folder, name)
      const { data } = savedSchema.safeParse(parse(await readFile(path, 'utf8').catch(() => '')))
      if (data?.owner === this.#owner) mine.push(data)
      else if (!data || nowMs - data.savedAt > keptMs) await rm(path, { force: true })
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
