/**
 * Log lines of one program in a file of bounded size: the file and the one before it, never more. A full disk costs
 * lines, not the service: what could not be written is counted and said once there is room again.
 */
import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs'
import { codes, keyOfCode } from '@porttunneler/shared/base/errors'
import { z } from 'zod'

export class LogFile {
  readonly #path: string
  readonly #bytesMax: number
  #file: number
  #bytes: number
  #lostLines = 0

  /** `bytesMax` bounds the current file; the previous one is kept as `<path>.1`. */
  constructor(path: string, bytesMax = 8 * 1024 * 1024) {
    this.#path = path
    this.#bytesMax = bytesMax
    this.#file = openSync(path, 'a', 0o600)
    this.#bytes = fstatSync(this.#file).size
  }

  /** Adds one line; the end of line may be there or not. This is also what pino writes to. */
  write(line: string): void {
    const text = line.endsWith('\n') ? line : `${line}\n`
    try {
      if (this.#bytes > 0 && this.#bytes + text.length > this.#bytesMax) this.#turn()
      if (this.#lostLines > 0) this.#append(`${JSON.stringify({ level: 40, lost: this.#lostLines })}\n`)
      this.#lostLines = 0
      this.#append(text)
    } catch {
      this.#lostLines++
    }
  }

  close(): void {
    if (this.#file >= 0) closeSync(this.#file)
    this.#file = -1
  }

  #append(text: string): void {
    this.#bytes += writeSync(this.#file, text)
  }

  #turn(): void {
    renameSync(this.#path, `${this.#path}.1`)
    closeSync(this.#file)
    this.#file = openSync(this.#path, 'a', 0o600)
    this.#bytes = 0
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

/** What of a pino line a person at the terminal wants to see: warnings and errors as one sentence. */
export function sentenceOf(line: string): string | undefined {
  const parsed = lineSchema.safeParse(jsonOf(line))
  // Not from the logger: a crash trace or a warning of the runtime, which is worth seeing as it is.
  if (!parsed.success) return line.trimEnd() || undefined
  const { level, msg, code, requestId, method, path } = parsed.data
  if (level < 40 || (requestId !== undefined && isPassing(code))) return undefined
  const where = method === undefined ? '' : `: ${method} ${path ?? ''}`
  return code === undefined ? `${msg}${where}` : `${msg}${where} (${code})`
}

/** Whoever asked hears of it and tries again by itself: an agent while the relay restarts. */
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
