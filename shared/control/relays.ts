/**
 * `sync`: what a relay reports every 30 s, and the answer. The bus makes commands fast; this makes them certain. It
 * also carries usage, and what is bound there, so that nobody else gets an endpoint that is still served.
 */
import { createHash } from 'node:crypto'
import type { Command, SyncAnswer, SyncRequest } from '../api/schemas/relays.ts'
import { codes, fail } from '../base/errors.ts'
import { limits } from '../protocol/limits.ts'
import { takedownsIn } from './abuse/catching-up.ts'
import { changeAndWatch } from './alerts/watching.ts'
import { type Cell, directoryMark } from './cells.ts'
import { commandsKeptMs, everyCell } from './commands.ts'
import { storeConnections } from './connections/storing.ts'
import type { Control } from './control.ts'
import { bound, type CommandDoc, type EndpointDoc, endpoints, type RelayDoc, relays } from './documents.ts'
import { withAway } from './lease-rules.ts'
import { followByRecords } from './own-records.ts'
import type { Page, QueryOptions, RelayClaims, Snapshot } from './platform.ts'
import { silentMs } from './presence.ts'
import { queries } from './query-table.ts'
import { auditRelayEvents, logRelayEvent } from './relay-events.ts'
import { loadOf } from './relay-load.ts'
import { startsOf } from './relay-starts.ts'
import { isAhead } from './stored-times.ts'
import { storeUsage } from './usage.ts'

type Lease = NonNullable<SyncRequest['bound'][number]>

const relaysPerCell = 16
/** Endpoints in a document: host names are at most 64 bytes or so, and a document holds 1 MiB. */
const boundPerChunk = 2_000
/** A command may be committed this much later than its own time. */
const overlapMs = 120_000
const commandPagesMax = 4
const awayAtOnce = 32

/** The type that relays read, except that every command is known here. */
type SyncReply = Omit<SyncAnswer, 'commands'> & { readonly commands: Command[] }

/** @throws cell.none when the relay's cell no longer exists, cell.full */
export async function syncRelay(
  control: Control,
  claims: RelayClaims,
  request: SyncRequest,
): Promise<SyncReply> {
  const id = `${claims.relay}:${request.boot.instance}`
  const cell = await cellOf(control, claims.cell, id)
  const log = control.log.child({ relay: claims.relay, instance: request.boot.instance })
  // If a later request overtook it, that one has reported the present state. Usage can be taken in any order.
  const registered = await register(control, { claims, id, request, cell })
  if (registered) {
    const mark = directoryMark(control, cell)
    control.cells.note({ ref: relays.ref(id), data: registered })
    if (directoryMark(control, await control.cells.lately(claims.cell)) !== mark) await tellZone(control)
    await recordAllAway(control, cell, request)
  }
  const refused = await storeUsage(control, claims.cell, request.usage)
  if (request.connections) await storeConnections(control, claims.cell, request.connections)
  for (const event of request.events) if (event) logRelayEvent(log, event)
  await auditRelayEvents({ ...control, log }, claims.relay, request.events)
  const unread = [...request.bound, ...request.away, ...request.events].filter(
    (entry) => entry === null,
  ).length
  if (unread > 0) log.warn({ unread }, 'entries of a sync were not understood and are passed over')
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
    ...(refused.length > 0 && {
      refused: refused.map(({ index, key }) => ({ index, code: codes[key].code })),
    }),
    syncMs: limits.syncMs,
    directory: directoryMark(control, await control.cells.lately(claims.cell)),
    flags: await control.flags.states(),
    ...(control.certificates.issuers.length > 0 && { tls: await control.relaySecrets.read(claims.cell) }),
    ...(request.proxies?.includes('cloudflare') && (await proxyNetworksOf(control))),
  }
}

/** A new relay gets its records at once. If they cannot be asked for, the next round of the job makes them. */
async function tellZone(control: Control): Promise<void> {
  try {
    await followByRecords(control)
  } catch (error) {
    control.log.warn({ error }, 'records follow the relays at the next round')
  }
}

/**
 * Its cell, read anew when it decides whether another relay fits.
 * @throws cell.none, cell.full
 */
async function cellOf(control: Control, cell: string, id: string): Promise<Cell> {
  const isKnown = ({ relays }: Cell) => relays.some(({ ref }) => ref.id === id)
  const lately = await control.cells.lately(cell)
  if (isKnown(lately)) return lately
  const now = await control.cells.now(cell)
  if (!isKnown(now) && now.relays.length >= relaysPerCell) throw fail('cell.full')
  return now
}

async function publicKeys({ signer }: Control): Promise<SyncAnswer['keys']> {
  const { version, jwks, issuer } = await signer.publicKeys()
  return { version, jwks: { keys: jwks.keys.map((key) => ({ ...key })) }, issuer }
}

async function proxyNetworksOf({ proxyNetworks }: Control): Promise<Pick<SyncAnswer, 'proxyNetworks'>> {
  const cloudflare = await proxyNetworks.read()
  return cloudflare ? { proxyNetworks: { cloudflare: [...cloudflare] } } : {}
}

async function recordAllAway(control: Control, cell: Cell, { boot, away }: SyncRequest): Promise<void> {
  const reports = away.filter((report) => report !== null)
  for (let start = 0; start < reports.length; start += awayAtOnce)
    await Promise.all(
      reports
        .slice(start, start + awayAtOnce)
        .map((report) => recordAway(control, cell, { instance: boot.instance, report })),
    )
}

/** @returns undefined when a later request of the same boot has overtaken it: it changes nothing */
async function register(
  control: Control,
  {
    claims,
    id,
    request,
    cell,
  }: { claims: RelayClaims; id: string; request: SyncRequest; cell: Pick<Cell, 'relays'> },
): Promise<RelayDoc | undefined> {
  const leases = request.bound.flatMap((lease) => (lease === null ? [] : [lease])).sort(byEndpoint)
  const text = leases
    .map(({ endpoint, epoch, detached }) => `${endpoint} ${epoch}${detached ? ' detached' : ''}`)
    .join('\n')
  const boundHash = createHash('sha256').update(text).digest('hex')
  const before = await control.store.get(relays.ref(id))
  if (isOvertaken(before?.data, request)) return undefined
  const isKnown = before?.data.boundHash === boundHash
  const chunks = before?.data.boundChunks ?? 0
  const boundChunks = isKnown ? chunks : await recordBound(control, { id, cell: claims.cell, leases, chunks })
  let isNews = false
  const after = await control.store.change(relays.ref(id), (current) => {
    isNews = !isOvertaken(current, request)
    return isNews
      ? { ...relayOf(control, { claims, request, cell, before: current }), boundHash, boundChunks }
      : 'keep'
  })
  return isNews ? after : undefined
}

function isOvertaken(current: RelayDoc | undefined, { boot, sequence = 0 }: SyncRequest): boolean {
  return current?.boot === boot.boot && sequence < (current.sequence ?? 0)
}

function relayOf(
  control: Control,
  {
    claims,
    request,
    cell,
    before,
  }: {
    claims: RelayClaims
    request: SyncRequest
    cell: Pick<Cell, 'relays'>
    before: RelayDoc | undefined
  },
): Omit<RelayDoc, 'boundHash' | 'boundChunks'> {
  const nowMs = control.clock.now()
  const { boot, load, state, sequence = 0, last = false } = request
  const { certificate = '', ...address } = boot.agentAddress
  const since = parseCursor(request.cursor)
  const isHeard = before !== undefined && nowMs - before.seenAt <= silentMs
  const others = cell.relays.map(({ data }) => data)
  const self = { relay: claims.relay, boot: boot.boot, version: boot.version }
  return {
    relay: claims.relay,
    instance: boot.instance,
    cell: claims.cell,
    boot: boot.boot,
    bootAt: before?.boot === boot.boot ? Math.min(before.bootAt, nowMs) : nowMs,
    version: boot.version,
    starts: startsOf(self, { before, others, nowMs }),
    state,
    agentAddress: { ...address, certificate },
    watchUrl: boot.watchUrl,
    load: loadOf(load),
    // It counts as gone at once: rules that wait for silent relays need not wait for one that has left.
    seenAt: last ? 0 : nowMs,
    heardSince: isHeard ? Math.min(before.heardSince ?? before.seenAt, nowMs) : nowMs,
    appliedAt: since === undefined ? 0 : Math.min(since, nowMs) - overlapMs,
    sequence,
    ...(request.proxies && { proxies: request.proxies }),
  }
}

function byEndpoint(a: Lease, b: Lease): number {
  return a.endpoint < b.endpoint ? -1 : 1
}

/**
 * Runs before the relay's document says how many chunks there are; an extra old chunk is never read. Leases that were
 * not bound there before are served from now on.
 */
async function recordBound(
  control: Control,
  { id, cell, leases, chunks }: { id: string; cell: string; leases: readonly Lease[]; chunks: number },
): Promise<number> {
  const refs = Array.from({ length: chunks }, (_, chunk) => bound.ref(`${id}:${chunk}`))
  const found = await control.store.getAll(refs)
  const known = new Set(
    found.flatMap(
      (chunk) => chunk?.data.endpoints.map((one, at) => `${one} ${chunk.data.epochs?.[at]}`) ?? [],
    ),
  )
  const count = Math.ceil(leases.length / boundPerChunk)
  for (let chunk = 0; chunk < count; chunk++) {
    const slice = leases.slice(chunk * boundPerChunk, (chunk + 1) * boundPerChunk)
    const [ids, epochs] = [slice.map(({ endpoint }) => endpoint), slice.map(({ epoch }) => epoch)]
    const detached = slice.filter((lease) => lease.detached).map(({ endpoint }) => endpoint)
    await control.store.set(bound.ref(`${id}:${chunk}`), { cell, endpoints: ids, epochs, detached })
  }
  const fresh = leases.filter(({ endpoint, epoch }) => !known.has(`${endpoint} ${epoch}`))
  for (let start = 0; start < fresh.length; start += awayAtOnce)
    await Promise.all(
      fresh.slice(start, start + awayAtOnce).map((lease) => recordServed(control, cell, lease)),
    )
  return count
}

async function recordServed(
  control: Control,
  cell: string,
  { endpoint, tunnel, epoch }: Lease,
): Promise<void> {
  await control.store.change(endpoints.ref(endpoint), (current) => {
    const isIts = current?.cell === cell && current.tunnel === tunnel && current.epoch === epoch
    return isIts && current.servedAt === 0 ? { ...current, servedAt: control.clock.now() } : 'keep'
  })
}

/** An agent has been away from this relay for a minute, or is back. It keeps its lease either way. */
async function recordAway(
  control: Control,
  cell: Cell,
  { instance, report }: { instance: string; report: NonNullable<SyncRequest['away'][number]> },
): Promise<void> {
  const { tunnel, endpoint, epoch, agent, away } = report
  const nowMs = control.clock.now()
  const next = (current: EndpointDoc | undefined): EndpointDoc | undefined => {
    const isCurrent = current?.state === 'leased' && current.tunnel === tunnel && current.epoch === epoch
    if (!current || !isCurrent || current.cell !== cell.id) return undefined
    return withAway(current, { instance, away, nowMs, ...(agent !== undefined && { agent }) })
  }
  await changeAndWatch(control, endpoint, { next, watches: away })
}

/** The cursor is the time up to which commands were read, in ms. */
function parseCursor(cursor: string | undefined): number | undefined {
  return cursor !== undefined && /^[0-9]{1,15}$/.test(cursor) ? Number(cursor) : undefined
}

/**
 * From the cursor, with overlap: what an agent bound hours ago may have been taken away since. Without a cursor, as far
 * back as the oldest ticket that could still bind.
 */
async function readCommands(
  control: Control,
  cell: string,
  cursor: number | undefined,
): Promise<{ commands: Command[]; cursor: number }> {
  const nowMs = control.clock.now()
  const from =
    cursor === undefined
      ? nowMs - limits.ticketMs - limits.skewMs
      : isAhead(cursor, { nowMs, lastsMs: 0 })
        ? // It read by a fast clock, so we do not know what it has missed since.
          nowMs - commandsKeptMs
        : Math.max(nowMs - commandsKeptMs, cursor - overlapMs)
  const lists = await Promise.all(
    [cell, everyCell].map((each) => readList(control, { cell: each, from, to: nowMs })),
  )
  // As they are stored: this release may be older than the one that wrote them, and relays judge each by themselves.
  const read = lists.flatMap(({ items }) => items.map(({ data }) => data.body as Command))
  const isWhole = cursor !== undefined && cursor >= nowMs - commandsKeptMs
  const commands = isWhole ? read : [...(await takedownsIn(control, cell)), ...read]
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
  // The rest comes next time. The overlap is skipped, or a flood would never be read to its end.
  return { items, until: (items.at(-1)?.data.createdAt ?? to) + overlapMs }
}
