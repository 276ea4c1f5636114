/**
 * Notices that a file is another one than before, and that it has come to rest. It looks once a second instead of
 * having the system tell it: that follows what editors, symbolic links, Kubernetes' config maps and network file
 * systems do to a file alike (docs/decisions/0043).
 */
import { stat } from 'node:fs/promises'
import type { Clock, Timer } from '@porttunneler/shared/base/clock'

const lookMs = 1_000

export type FileWatchOptions = {
  readonly clock: Clock
  readonly path: string
  /** What was there when it was read the first time; absent: what the first look finds. */
  readonly seen?: string | undefined
  onChange(): void
  /** Tests have their own. */
  readonly look?: (path: string) => Promise<string>
}

export class FileWatch {
  readonly #options: FileWatchOptions
  #timer: Timer | undefined
  #known: string | undefined
  /** What was told last, or read without being told. */
  #read: string | undefined
  #isMoving = false
  #isLooking = false

  constructor(options: FileWatchOptions) {
    this.#options = options
    this.#known = options.seen
    this.#read = options.seen
  }

  /** Resolves when what is there now is known. */
  start(): Promise<void> {
    this.#timer = this.#options.clock.every(lookMs, () => void this.#look(), { background: true })
    return this.#look()
  }

  close(): void {
    this.#timer?.clear()
  }

  /** Call it before the file is read for another reason: what is there now needs no telling any more. */
  async mark(): Promise<void> {
    const { look = fingerprint, path } = this.#options
    this.#read = await look(path)
  }

  /** A file is told when two looks in a row found the same one: half a file is nobody's wish. */
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

/** Of the file that the path leads to in the end; never rejects. */
export async function fingerprint(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeMs, ctimeMs } = await stat(path)
    return [dev, ino, size, mtimeMs, ctimeMs].join(' ')
  } catch {
    // Reading it will say why.
    return 'none'
  }
}
