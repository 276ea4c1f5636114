/**
 * Finds out which cells are near, for tunnels that have no cell yet, by the time that a connection to a relay of each
 * takes. It runs before the first claim of such a tunnel, keeps the result in the state folder for an hour, and never
 * waits long or fails: without a result the server chooses.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { OpenCells } from '@porttunneler/shared/api/schemas/tunnels'
import type { Clock } from '@porttunneler/shared/base/clock'
import { isFailure } from '@porttunneler/shared/base/errors'
import { z } from 'zod'
import { writePrivateFile } from '../paths.ts'

/** Longer than any way around the world with a lost packet; a slower cell is not near. */
const probeMs = 1_000
/** The list is a call like any other, but a claim waits for it. */
const listMs = 3_000
/** By then a laptop may be elsewhere. */
const keptMs = 3_600_000
/** As many as a server lists; further ones are ignored. */
const probedMax = 16

type CellPlace = OpenCells['cells'][number]

const keptSchema = z.object({
  version: z.literal(1),
  server: z.string(),
  at: z.number(),
  near: z.array(z.string().max(64)).max(probedMax),
})

export type NearCellsOptions = {
  readonly list: (signal: AbortSignal) => Promise<OpenCells>
  readonly server: string
  /** Undefined: the result is not kept. */
  readonly folder?: string | undefined
  readonly clock: Clock
  /** A proxy is as near as itself, whatever is behind it. */
  readonly isProxied: (place: CellPlace) => boolean
  /** Tests pass their own. */
  readonly probe?: Probe
}
/** @returns how long it took; undefined: no answer in time */
type Probe = (
  place: CellPlace,
  life: { readonly clock: Clock; readonly signal: AbortSignal },
) => Promise<number | undefined>

export class NearCells {
  readonly #options: NearCellsOptions
  #found: { readonly at: number; readonly near: readonly string[] } | undefined

  constructor(options: NearCellsOptions) {
    this.#options = options
  }

  /** Ids, nearest first; empty when there is no choice, or nothing is known. Rejects only when aborted. */
  async find(signal: AbortSignal): Promise<readonly string[]> {
    const { clock } = this.#options
    this.#found ??= await this.#readKept()
    const age = clock.now() - (this.#found?.at ?? Number.NEGATIVE_INFINITY)
    if (this.#found && age >= 0 && age < keptMs) return this.#found.near
    try {
      const near = await this.#measure(signal)
      this.#found = { at: clock.now(), near }
      await this.#keep(near)
      return near
    } catch (error) {
      // No server, an older one, or a slow one: the claim itself will report what is wrong.
      signal.throwIfAborted()
      // An absent server is asked again with the next claim; the others not again in this run.
      if (!isFailure(error, 'server.unreachable')) this.#found = { at: clock.now(), near: [] }
      return []
    }
  }

  async #measure(signal: AbortSignal): Promise<readonly string[]> {
    const { list, clock, isProxied, probe = connectMs } = this.#options
    const { cells } = await within(clock, listMs, signal, list)
    const places = cells.slice(0, probedMax)
    if (places.length < 2 || places.some(isProxied)) return []
    const measured = await Promise.all(
      places.map(async (place) => ({ id: place.id, ms: await probe(place, { clock, signal }) })),
    )
    signal.throwIfAborted()
    const answered = measured.flatMap(({ id, ms }) => (ms === undefined ? [] : [{ id, ms }]))
    return answered.toSorted((a, b) => a.ms - b.ms).map(({ id }) => id)
  }

  async #readKept(): Promise<{ at: number; near: readonly string[] } | undefined> {
    const path = this.#path()
    if (path === undefined) return undefined
    try {
      const { data } = keptSchema.safeParse(JSON.parse(await readFile(path, 'utf8')))
      return data?.server === this.#options.server ? data : undefined
    } catch {
      // Missing or damaged: measure again.
      return undefined
    }
  }

  async #keep(near: readonly string[]): Promise<void> {
    const { folder, server, clock } = this.#options
    const path = this.#path()
    if (folder === undefined || path === undefined) return
    const kept: z.infer<typeof keptSchema> = { version: 1, server, at: clock.now(), near: [...near] }
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await writePrivateFile(path, `${JSON.stringify(kept)}\n`)
    } catch {
      // The leases report a folder that cannot be written (saved.ts).
    }
  }

  #path(): string | undefined {
    return this.#options.folder && join(this.#options.folder, 'cells.json')
  }
}

/** A cell whose relay does not answer within a second is not considered. */
function connectMs(
  { host, port }: CellPlace,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<number | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    const since = clock.monotonic()
    const done = (ms: number | undefined) => {
      timer.clear()
      signal.removeEventListener('abort', onAbort)
      socket.on('error', () => {}).destroy()
      resolve(ms)
    }
    const onAbort = () => done(undefined)
    const timer = clock.after(probeMs, onAbort)
    signal.addEventListener('abort', onAbort, { once: true })
    socket.once('connect', () => done(clock.monotonic() - since))
    socket.once('error', () => done(undefined))
  })
}

async function within<T>(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController()
  const timer = clock.after(ms, () => late.abort())
  try {
    return await call(AbortSignal.any([signal, late.signal]))
  } finally {
    timer.clear()
  }
}
