/**
 * `sync`: what a relay tells every 30 s, and what it hears. The bus makes commands fast, this makes them
 * certain; it also carries usage, and what is bound there, so that nobody else gets an endpoint which still serves.
 */
import { createHash } from 'node:crypto'
import type { Command, SyncAnswer, SyncRequest } from '../api/schemas/relays.ts'
import { commandSchema } from '../api/schemas/relays.ts'
import { fail } from '../base/errors.ts'
import { limits } from '../protocol/limits.ts'
import { type Cell, readCell, readyRelays } from './cells.ts'
import { everyCell } from './commands.ts'
import type { Control } from './control.ts'
import { bound, type CommandDoc, endpoints, type RelayDoc, relays } from './documents.ts'
import { isAway } from './lease-rules.ts'
import { putOnline, strikeOff } from './online.ts'
import type { Page, QueryOptions, RelayClaims, Snapshot } from './platform.ts'
import { queries } from './query-table.ts'
import { storeUsage } from './usage.ts'

const relaysPerCell = 16
/** Endpoints a document: host names are at most 64 bytes or so, and a document holds 1 MiB. */
const boundPerChunk = 2_000
/** A command may be committed this much later than its time says. */
const overlapMs = 120_000
const commandPagesMax = 4
const awayAtOnce = 32

/** @throws cell.none for a relay of a cell that is no more, cell.full */
export async function syncRelay(
  control: Control,
  claims: RelayClaims,
  request: SyncRequest,
): Promise<SyncAnswer> {
  const cell = await readCell(control, claims.cell)
  const id = `${claims.relay}:${request.boot.instance}`
  const isNew = !cell.relays.some(({ ref }) => ref.id === id)
  if (isNew && cell.relays.length >= relaysPerCell) throw fail('cell.full')
  await register(control, { claims, id, request })
  for (let start = 0; start < request.away.length; start += awayAtOnce)
    await Promise.all(
      request.away
        .slice(start, start + awayAtOnce)
        .map((report) => noteAway(control, cell, { instance: request.boot.instance, report })),
    )
  await storeUsage(control, claims.cell, request.usage)
  const log = control.log.child({ relay: claims.relay, instance: request.boot.instance })
  for (const { kind, at, fields } of request.events)
    log.info({ kind, at, ...fields }, 'a relay saw something')
  const since = parseCursor(request.cursor)
  const { commands, cursor } = await readCommands(control, claims.cell, since)
  const { host, domain, portFrom, portTo } = cell
  return {
    relay: claims.relay,
    now: control.clock.now(),
    cell: { id: claims.cell, host, domain, portFrom, portTo },
    keys: await publicKeys(control),
    commands,
    cursor: `${cursor}`,
    ...(request.report === undefined ? {} : { acknowledged: request.report }),
    syncMs: limits.syncMs,
  }
}

async function publicKeys({ signer }: Control): Promise<SyncAnswer['keys']> {
  const { version, jwks } = await signer.publicKeys()
  return { version, jwks: { keys: jwks.keys.map((key) => ({ ...key })) } }
}

async function register(
  control: Control,
  { claims, id, request }: { claims: RelayClaims; id: string; request: SyncRequest },
): Promise<void> {
  const nowMs = control.clock.now()
  const { boot, load, state } = request
  const ids = request.bound.map(({ endpoint }) => endpoint).sort()
  const boundHash = createHash('sha256').update(ids.join('\n')).digest('hex')
  const before = await control.store.get(relays.ref(id))
  const isKnown = before?.data.boundHash === boundHash
  const boundChunks = isKnown
    ? before.data.boundChunks
    : await writeBound(control, { id, cell: claims.cell, ids })
  const { certificate = '', ...address } = boot.agentAddress
  const since = parseCursor(request.cursor)
  const next: RelayDoc = {
    relay: claims.relay,
    instance: boot.instance,
    cell: claims.cell,
    boot: boot.boot,
    bootAt: before?.data.boot === boot.boot ? before.data.bootAt : nowMs,
    version: boot.version,
    state,
    agentAddress: { ...address, certificate },
    watchUrl: boot.watchUrl,
    load,
    seenAt: nowMs,
    appliedAt: since === undefined ? 0 : Math.min(since, nowMs) - overlapMs,
    boundHash,
    boundChunks,
  }
  await control.store.set(relays.ref(id), next)
}

/** Before the relay's document says how many there are; one too many from before is never read. */
async function writeBound(
  control: Control,
  { id, cell, ids }: { id: string; cell: string; ids: readonly string[] },
): Promise<number> {
  const chunks = Math.ceil(ids.length / boundPerChunk)
  for (let chunk = 0; chunk < chunks; chunk++) {
    const slice = ids.slice(chunk * boundPerChunk, (chunk + 1) * boundPerChunk)
    await control.store.set(bound.ref(`${id}:${chunk}`), { cell, endpoints: slice })
  }
  return chunks
}

/**
 * An agent is away from this relay for a minute, or back. Away from all of them, its tunnel no longer counts
 * as online.
 */
async function noteAway(
  control: Control,
  cell: Cell,
  { instance, report }: { instance: string; report: SyncRequest['away'][number] },
): Promise<void> {
  const { tunnel, endpoint, epoch, away } = report
  const nowMs = control.clock.now()
  const after = await control.store.change(endpoints.ref(endpoint), (current) => {
    const isCurrent = current?.state === 'leased' && current.tunnel === tunnel && current.epoch === epoch
    if (!current || !isCurrent || current.cell !== cell.id) return 'keep'
    const { [instance]: since, ...others } = current.away
    if (away === (since !== undefined)) return 'keep'
    return { ...current, away: away ? { ...others, [instance]: nowMs } : others }
  })
  if (!after || after.tunnel !== tunnel || after.epoch !== epoch || after.cell !== cell.id) return
  const entries = { [tunnel]: { endpoint, epoch } }
  const isGone = isAway(after, readyRelays(control, cell))
  if (isGone) await strikeOff(control, after.account, entries)
  else if (!away && after.expiresAt > nowMs) await putOnline(control, after.account, entries)
}

/** The cursor is the time up to which commands were read, in ms. */
function parseCursor(cursor: string | undefined): number | undefined {
  return cursor !== undefined && /^[0-9]{1,15}$/.test(cursor) ? Number(cursor) : undefined
}

/** From the cursor, with overlap; without one, as far back as the oldest ticket that could still bind. */
async function readCommands(
  control: Control,
  cell: string,
  cursor: number | undefined,
): Promise<{ commands: Command[]; cursor: number }> {
  const nowMs = control.clock.now()
  const oldest = nowMs - limits.ticketMs - limits.skewMs
  const from = Math.max(oldest, (cursor ?? 0) - overlapMs)
  const lists = await Promise.all(
    [cell, everyCell].map((each) => readList(control, { cell: each, from, to: nowMs })),
  )
  const commands = lists.flatMap(({ items }) => items.map(({ data }) => commandSchema.parse(data.body)))
  return { commands, cursor: Math.min(nowMs, ...lists.map(({ until }) => until)) }
}

async function readList(
  control: Control,
  { cell, from, to }: { cell: string; from: number; to: number },
): Promise<{ items: readonly Snapshot<CommandDoc>[]; until: number }> {
  const items: Snapshot<CommandDoc>[] = []
  let after: QueryOptions['after']
  for (let pages = 0; pages < commandPagesMax; pages++) {
    const options = { where: { cell }, from, to, limit: 500, ...(after && { after }) }
    const page: Page<CommandDoc> = await control.store.query(queries.commandsOfCell, options)
    items.push(...page.items)
    after = page.next
    if (!after) return { items, until: to }
  }
  // More next time; the overlap is skipped over, or a flood would never be read to its end.
  return { items, until: (items.at(-1)?.data.createdAt ?? to) + overlapMs }
}
