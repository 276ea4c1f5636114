/**
 * An output that may refuse what is written: a reader that is gone (`| head -1`), a full disk, a closed terminal. It
 * costs lines and never the process; each write tries again, and the first that gets through says how many were lost.
 */
import type { Output } from '../context.ts'

/** `process.stdout` is one. */
export type RefusableOutput = Omit<Output, 'write' | 'on'> & {
  write(text: string, onDone: (error?: Error | null) => void): unknown
  on?(event: 'error' | 'resize', listener: (error: NodeJS.ErrnoException) => void): unknown
}

export type LastingOptions = {
  /** Said in front of the first write that may get through again. */
  sayLost(lines: number): string
  /** Hears of the first refusal. */
  onRefused?(code: string): void
}

export class LastingOutput implements Output {
  readonly #output: RefusableOutput
  readonly #options: LastingOptions
  #lostLines = 0
  #refusal: string | undefined

  constructor(output: RefusableOutput, options: LastingOptions) {
    this.#output = output
    this.#options = options
    // Without a listener the first refusal would end the process.
    output.on?.('error', (error) => this.#note(error))
  }

  /** The first refusal, as the system's code. */
  get refusal(): string | undefined {
    return this.#refusal
  }

  get isTTY(): boolean {
    return this.#output.isTTY === true
  }

  get columns(): number | undefined {
    return this.#output.columns
  }

  get rows(): number | undefined {
    return this.#output.rows
  }

  write(text: string): void {
    const lost = this.#lostLines
    const notice = lost > 0 && !this.isTTY ? `${this.#lineBreak}${this.#options.sayLost(lost)}` : ''
    this.#lostLines = 0
    this.#output.write(`${notice}${text}`, (error) => {
      if (!error) return
      this.#lostLines += lost + countLines(text)
      this.#note(error)
    })
  }

  /** A disk that became full took a part of the line. */
  get #lineBreak(): string {
    return this.#refusal === 'ENOSPC' ? '\n' : ''
  }

  on(event: 'resize', listener: () => void): void {
    this.#output.on?.(event, listener)
  }

  off(event: 'resize', listener: () => void): void {
    this.#output.off?.(event, listener)
  }

  #note(error: NodeJS.ErrnoException): void {
    if (this.#refusal !== undefined) return
    this.#refusal = error.code ?? error.message
    this.#options.onRefused?.(this.#refusal)
  }
}

function countLines(text: string): number {
  return text.split('\n').length - 1
}
