/**
 * Log lines of one program in a file of limited size: the file and the one before it, never more. A full disk, a folder
 * that takes no file and a lack of descriptors lose lines but do not stop the service: opening, rotating and writing
 * are tried again with the next line, which says how many were lost.
 */
import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs'
import { codes, keyOfCode } from '@porttunneler/shared/base/errors'
import { LineWriter } from '@porttunneler/shared/base/line-writer'
import { z } from 'zod'

/** Takes lines of a program. */
export type LineLog = { write(line: string): void }
/** Takes lines of relays. */
export type RelayLog = { write(line: string, relay: string): void }

export class LogFile {
  readonly #path: string
  readonly #bytesMax: number
  readonly #lines = new LineWriter((bytes) => this.#append(bytes))
  /** Undefined: the next line opens it. */
  #file: number | undefined
  #bytes = 0
  #isClosed = false

  /** `bytesMax` limits the current file; the previous one is kept as `<path>.1`. */
  constructor(path: string, bytesMax = 8 * 1024 * 1024) {
    this.#path = path
    this.#bytesMax = bytesMax
  }

  /** Adds one line, with or without its end of line. pino writes here too. */
  write(line: string): void {
    if (!this.#isClosed) this.#lines.write(line)
  }

  close(): void {
    this.#isClosed = true
    this.#letGo()
  }

  #append(bytes: Buffer): number {
    const file = this.#open()
    const isFull = this.#bytes > 0 && this.#bytes + bytes.length > this.#bytesMax
    const taken = writeSync(isFull ? this.#turn() : file, bytes)
    this.#bytes += taken
    return taken
  }

  #open(): number {
    if (this.#file !== undefined) return this.#file
    const file = openSync(this.#path, 'a', 0o600)
    this.#bytes = fstatSync(file).size
    this.#file = file
    return file
  }

  #turn(): number {
    try {
      renameSync(this.#path, `${this.#path}.1`)
    } catch (error) {
      // Somebody removed it; begin a new one.
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    }
    // Forget it before opening another: if that fails, the number may soon be another file's.
    this.#letGo()
    return this.#open()
  }

  #letGo(): void {
    const file = this.#file
    this.#file = undefined
    if (file !== undefined) closeSync(file)
  }
}

const lineSchema = z.looseObject({
  level: z.number(),
  msg: z.string(),
  code: z.string().optional(),
  requestId: z.string().optional(),
  method: z.string().optional(),
  path: z.string().optional(),
})

/** What a person at the terminal wants to see of a pino line: warnings and errors as one sentence. */
export function sentenceOf(line: string): string | undefined {
  const parsed = lineSchema.safeParse(jsonOf(line))
  // Not from the logger: a crash trace or a warning of the runtime, worth showing unchanged.
  if (!parsed.success) return line.trimEnd() || undefined
  const { level, msg, code, requestId, method, path } = parsed.data
  if (level < 40 || (requestId !== undefined && isPassing(code))) return undefined
  const where = method === undefined ? '' : `: ${method} ${path ?? ''}`
  return code === undefined ? `${msg}${where}` : `${msg}${where} (${code})`
}

/** The client is told and tries again by itself: an agent while the relay restarts. */
function isPassing(code = ''): boolean {
  const key = keyOfCode(code)
  return key !== undefined && codes[key].http === 503
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
