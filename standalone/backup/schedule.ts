/**
 * Backs a running server up, as often as its settings say. Each backup is made by a process of its own (main.ts), so
 * neither the database's copy nor the encryption keeps a request waiting, and a backup that fails takes nothing with
 * it. When it is due follows from the names of the files that are there, so restarts and hand-overs neither skip nor
 * repeat one.
 */
import { execFile } from 'node:child_process'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Clock, Timer } from '@porttunneler/shared/base/clock'
import { codes } from '@porttunneler/shared/base/errors'
import type { Log } from '@porttunneler/shared/base/log'
import type { BackupSettings } from './settings.ts'

/** How often it looks; a failed one is tried again then. */
const lookMs = 5 * 60_000
/** The start of a server has precedence. */
const firstLookMs = 30_000
/** A database of some GB on a slow disk. */
const deadlineMs = 3_600_000
/** Its result is one line. */
const outputMax = 64 * 1024

/** `porttunneler-20260131T120000Z.tar.gz`, with `.age` where it is encrypted: the order of names is that of time. */
const nameShape = /^porttunneler-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\.tar\.gz(?:\.age)?$/

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
  readonly #closing = new AbortController()
  #running: Promise<void> | undefined

  constructor(options: BackupScheduleOptions) {
    this.#options = options
    const { clock } = options
    const look = () => void this.look()
    this.#timers = [
      clock.after(firstLookMs, look, { background: true }),
      clock.every(lookMs, look, { background: true }),
    ]
  }

  /** Makes a backup if one is due and none is being made. Never rejects. */
  look(): Promise<void> {
    this.#running ??= this.#look()
      .catch((error: unknown) => {
        const { code, title } = codes['backup.failed']
        if (!this.#closing.signal.aborted) this.#options.log.error({ code, error }, title)
      })
      .finally(() => {
        this.#running = undefined
      })
    return this.#running
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
    const newest = (await backupsUntil(nowMs, folder)).at(-1)
    if (newest !== undefined && nowMs - newest.at < every) return
    this.#closing.signal.throwIfAborted()
    const file = join(folder, nameAt(nowMs, passphraseFile !== undefined))
    const make = this.#options.make ?? ((path, signal) => this.#make(path, signal))
    await make(file, this.#closing.signal)
    log.info({ file, at: nowMs }, 'a backup was made')
    const all = await backupsUntil(nowMs, folder)
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

/**
 * The oldest first. Names from the future are left out: a clock that was ahead made them, and they must neither put the
 * next backup off nor take the place of one that is to stay.
 */
async function backupsUntil(
  nowMs: number,
  folder: string,
): Promise<readonly { readonly name: string; readonly at: number }[]> {
  const names = await readdir(folder)
  return names.sort().flatMap((name) => {
    const [, year, month, day, hour, minute, second] = nameShape.exec(name) ?? []
    const at = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
    return at <= nowMs ? [{ name, at }] : []
  })
}

function nameAt(nowMs: number, isEncrypted: boolean): string {
  const time = new Date(nowMs)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replace(/[-:]/g, '')
  return `porttunneler-${time}.tar.gz${isEncrypted ? '.age' : ''}`
}
