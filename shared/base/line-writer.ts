/**
 * Writes log lines to a descriptor that may refuse them (a full disk, a reader that is gone). A refusal loses lines but
 * never ends the process. Lost lines are counted, the next line tries again, and the first that succeeds says how many
 * were lost. `write` returns only after writing, so the last line before an exit is there.
 */

/** How often, and how long each time, to wait for a slow reader of a non-blocking pipe. */
const waitsMax = 10
const waitMs = 10

export class LineWriter {
  readonly #write: (bytes: Buffer) => number
  #lostLines = 0
  /** Whether the system took only part of the last line. */
  #isTorn = false

  /** @param write as `writeSync`: returns how many bytes were taken, or throws */
  constructor(write: (bytes: Buffer) => number) {
    this.#write = write
  }

  /** Lines lost since the last one that was written. */
  get lostLines(): number {
    return this.#lostLines
  }

  /** Writes one line, with or without its end of line. @returns why it was lost, if it was */
  write(line: string): unknown {
    const text = line.endsWith('\n') ? line : `${line}\n`
    const lost = this.#lostLines > 0 ? `${JSON.stringify({ level: 40, lost: this.#lostLines })}\n` : ''
    try {
      this.#append(`${this.#isTorn ? '\n' : ''}${lost}${text}`)
      this.#lostLines = 0
      return undefined
    } catch (error) {
      this.#lostLines += 1
      return error
    }
  }

  #append(text: string): void {
    const bytes = Buffer.from(text)
    let done = 0
    for (let waits = 0; done < bytes.length; ) {
      try {
        done += this.#write(bytes.subarray(done))
        this.#isTorn = done < bytes.length
      } catch (error) {
        // Do not wait again for a reader that already cost us lines.
        if (!isSlowReader(error) || this.#lostLines > 0 || waits++ >= waitsMax) throw error
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, waitMs)
      }
    }
  }
}

function isSlowReader(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN'
}
