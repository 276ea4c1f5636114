/**
 * Backs a running server up, as often as its settings say. Each backup is made by a process of its own (main.ts), so
 * neither the database's copy nor the encryption keeps a request waiting, and a backup that fails takes nothing with
 * it. When it is due follows from the names of the files that are there, so restarts and hand-overs neither skip nor
 * repeat one. The same names say how old the newest is, for ptunctl and for Prometheus.
 */
import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import { codes } from '@porttunneler/shared/base/errors'
import type { Log } from '@porttunneler/shared/base/log'
import type { BackupStatus } from '@porttunneler/shared/control/operator/act'
import { writeFigures } from '../figures.ts'
import { backupFigures } from './figures.ts'
import { backupsUntil, nameAt, serverMark } from './names.ts'
import type { BackupSettings } from './settings.ts'

/** How often it looks; a failed one is tried again then. */
const lookMs = 5 * 60_000
/** The start of a server has precedence. */
const firstLookMs = 30_000
/** A database of some GB on a slow disk. */
const deadlineMs = 3_600_000
/** Its result is one line. */
const outputMax = 64 * 1024

/** How much later than planned the newest may be: time for a large one to be made, and for a few tries. */
const lateMsMin = 30 * 60_000
/** A day's schedule may be six hours late, an hour's half an hour. */
const lateShare = 0.25

export type BackupScheduleOptions = {
  readonly settings: BackupSettings
  /** The data folder. */
  readonly data: string
  readonly clock: Clock
  readonly log: Log
  /** Makes one backup. Tests pass their own. */
  readonly make?: (file: string, signal: AbortSignal) => Promise<void>
}

export class BackupSchedule {
  readonly #options: BackupScheduleOptions
  readonly #timers: readonly Timer[]
  readonly #server: string
  readonly #startedAt: number
  readonly #closing = new AbortController()
  #running: Promise<void> | undefined
  /** What the last try failed by; undefined after one that did not. */
  #failure: string | undefined
  #wasOverdue = false

  constructor(options: BackupScheduleOptions) {
    this.#options = options
    const { clock } = options
    this.#server = serverMark(options.data)
    this.#startedAt = clock.now()
    const look = () => void this.look()
    this.#timers = [
      clock.after(firstLookMs, look, { background: true }),
      clock.every(lookMs, look, { background: true }),
    ]
  }

  /** Makes a backup if one is due and none is being made. Never rejects. */
  look(): Promise<void> {
    this.#running ??= this.#look()
      .then(
        () => {
          this.#failure = undefined
        },
        (error: unknown) => this.#onFailure(error),
      )
      .then(() => this.#report())
      .catch((error: unknown) =>
        this.#options.log.warn({ error }, 'the age of the last backup cannot be told'),
      )
      .finally(() => {
        this.#running = undefined
      })
    return this.#running
  }

  /** How old the newest is, by the folder as it is now. A folder that cannot be read counts as an empty one. */
  async status(): Promise<BackupStatus> {
    const { settings, clock } = this.#options
    const nowMs = clock.now()
    let failure = this.#failure
    const found = await backupsUntil(nowMs, { ...settings, server: this.#server }).catch((error: unknown) => {
      failure = messageOf(error)
      return []
    })
    const newestAt = found.at(-1)?.at
    const lateMs = newestAt === undefined ? lateMsMin : Math.max(lateMsMin, settings.every * lateShare)
    // Without any, the first one is due at the start.
    const dueAt = newestAt === undefined ? this.#startedAt : newestAt + settings.every
    return {
      folder: settings.folder,
      kept: found.length,
      everyMs: settings.every,
      ...(newestAt !== undefined && { newestAt }),
      dueAt,
      isOverdue: nowMs > dueAt + lateMs,
      ...(failure !== undefined && { failure }),
    }
  }

  #onFailure(error: unknown): void {
    if (this.#closing.signal.aborted) return
    this.#failure = messageOf(error)
    const { code, title } = codes['backup.failed']
    this.#options.log.error({ code, error }, title)
  }

  /** For Prometheus at each look; in the log when it becomes overdue. */
  async #report(): Promise<void> {
    if (this.#closing.signal.aborted) return
    const status = await this.status()
    const { code, title } = codes['backup.overdue']
    const { newestAt, everyMs, failure } = status
    if (status.isOverdue && !this.#wasOverdue)
      this.#options.log.error({ code, newestAt, everyMs, failure }, title)
    this.#wasOverdue = status.isOverdue
    writeFigures(this.#options.data, 'ptun_backup_', backupFigures(status))
  }

  /** Ends one that is being made; the next server begins it anew. */
  async close(): Promise<void> {
    for (const timer of this.#timers) timer.clear()
    this.#closing.abort()
    await this.#running
  }

  async #look(): Promise<void> {
    const { settings, clock, log } = this.#options
    const { every, keep, folder, passphraseFile } = settings
    const nowMs = clock.now()
    const where = { folder, server: this.#server }
    const newest = (await backupsUntil(nowMs, where)).at(-1)
    if (newest !== undefined && nowMs - newest.at < every) return
    this.#closing.signal.throwIfAborted()
    const file = join(folder, nameAt(nowMs, this.#server, passphraseFile !== undefined))
    const make = this.#options.make ?? ((path, signal) => this.#make(path, signal))
    await make(file, this.#closing.signal)
    log.info({ file, at: nowMs }, 'a backup was made')
    const all = await backupsUntil(nowMs, where)
    for (const { name } of all.slice(0, -keep)) await rm(join(folder, name), { force: true })
  }

  #make(file: string, signal: AbortSignal): Promise<void> {
    const { data, settings } = this.#options
    const wish = JSON.stringify({ data, file, passphraseFile: settings.passphraseFile })
    const limits = { timeout: deadlineMs, killSignal: 'SIGKILL', maxBuffer: outputMax } as const
    return new Promise((resolve, reject) =>
      execFile(process.execPath, [program, wish], { ...limits, signal }, (error, _stdout, stderr) => {
        if (error) reject(new Error(stderr.trim() || error.message))
        else resolve()
      }),
    )
  }
}

const program = fileURLToPath(new URL('./main.ts', import.meta.url))

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
