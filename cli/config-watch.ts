/**
 * Notices that a file has changed, and that it is complete. It looks once a second instead of being notified by the
 * system: that works alike for what editors, symbolic links, Kubernetes' config maps and network file systems do to a
 * file (docs/decisions/0043).
 */
import { stat } from 'node:fs/promises'
import type { Clock, Timer } from '@porttunneler/shared/base/clock'

const lookMs = 1_000

export type FileWatchOptions = {
  readonly clock: Clock
  readonly path: string
  /** The fingerprint at the first reading; default: what the first look finds. */
  readonly seen?: string | undefined
  onChange(): void
  /** Tests pass their own. */
  readonly look?: (path: string) => Promise<string>
}

export class FileWatch {
  readonly #options: FileWatchOptions
  #timer: Timer | undefined
  #known: string | undefined
  /** The state that was last reported, or read without a report. */
  #read: string | undefined
  #isMoving = false
  #isLooking = false

  constructor(options: FileWatchOptions) {
    this.#options = options
    this.#known = options.seen
    this.#read = options.seen
  }

  /** Resolves when the present state is known. */
  start(): Promise<void> {
    this.#timer = this.#options.clock.every(lookMs, () => void this.#look(), { background: true })
    return this.#look()
  }

  close(): void {
    this.#timer?.clear()
  }

  /** Call it before reading the file for another reason: its present state needs no report any more. */
  async mark(): Promise<void> {
    const { look = fingerprint, path } = this.#options
    this.#read = await look(path)
  }

  /** A change is reported when two looks in a row found the same file, so that half a file is never read. */
  async #look(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    const { look = fingerprint, path, onChange } = this.#options
    const found = await look(path)
    this.#isLooking = false
    const isSame = found === this.#known
    const isFirst = this.#known === undefined
    this.#known = found
    if (isFirst) this.#read ??= found
    if (!isSame) this.#isMoving = !isFirst
    else if (this.#isMoving) {
      this.#isMoving = false
      if (found === this.#read) return
      this.#read = found
      onChange()
    }
  }
}

/** Fingerprint of the file that the path finally leads to; never rejects. */
export async function fingerprint(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeMs, ctimeMs } = await stat(path)
    return [dev, ino, size, mtimeMs, ctimeMs].join(' ')
  } catch {
    // Reading it will say why.
    return 'none'
  }
}
