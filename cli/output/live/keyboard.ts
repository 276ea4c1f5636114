/** The keys of the person at the terminal, while the live view is shown and ptun is in the foreground. */
import { readFileSync } from 'node:fs'
import { type Key, KeyReader } from './keys.ts'

/** The part of `process.stdin` that the live view needs. */
export type Input = {
  readonly isTTY?: boolean | undefined
  setRawMode?(isRaw: boolean): unknown
  on(event: 'data', listener: (chunk: Buffer | string) => void): unknown
  off(event: 'data', listener: (chunk: Buffer | string) => void): unknown
  resume(): unknown
  pause(): unknown
}

export type Typed = Key & { readonly isPaste?: boolean }

export class Keyboard {
  readonly #input: Input
  readonly #onData: (chunk: Buffer | string) => void
  #isTaken = false

  constructor(input: Input, onKey: (key: Typed) => void) {
    this.#input = input
    const reader = new KeyReader()
    this.#onData = (chunk) => {
      for (const key of reader.read(String(chunk))) onKey(key)
    }
  }

  /** Keys come one by one and are not shown. Only in the foreground: a job in the background would be stopped. */
  take(): void {
    if (this.#isTaken) return
    this.#isTaken = true
    this.#input.setRawMode?.(true)
    this.#input.on('data', this.#onData)
    this.#input.resume()
  }

  /** Gives the terminal its usual mode back. */
  release(): void {
    if (!this.#isTaken) return
    this.#isTaken = false
    this.#input.off('data', this.#onData)
    this.#input.setRawMode?.(false)
    this.#input.pause()
  }
}

/**
 * Whether the terminal listens to us and not to the shell or another job.
 * @param readStat fields 5 and 8 of proc(5) are the process group and the one in the foreground; other systems have no
 * such file, and are taken for the foreground
 */
export function isForeground(readStat = () => readFileSync('/proc/self/stat', 'utf8')): boolean {
  try {
    const stat = readStat()
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[2] === fields[5]
  } catch {
    return true
  }
}
