/**
 * Where the lines of a server's programs go: each program's into its files in `logs/` of the data folder, and all of
 * them into one index, which operators search.
 */
import { join } from 'node:path'
import type { Clock } from '@porttunneler/shared/base/clock'
import type { Log } from '@porttunneler/shared/base/log'
import { requestFields } from '@porttunneler/shared/base/request-scope'
import type { LogOrigin } from '@porttunneler/shared/control/logs/line'
import { pino } from 'pino'
import type { Config } from './config.ts'
import { type LineLog, LogFile, type RelayLog, sentenceOf } from './log-file.ts'
import { LogIndex } from './platform/logs.sqlite.ts'

const mebibyte = 1024 * 1024
const dayMs = 24 * 3_600_000

type ProgramLogsOptions = {
  /** The data folder. */
  readonly data: string
  readonly settings: Config['logs']
  readonly clock: Clock
  /** Takes a sentence for the terminal. */
  onTrouble(sentence: string): void
}

export class ProgramLogs {
  readonly #options: ProgramLogsOptions
  readonly #files: LogFile[] = []
  /** The control plane's own: warnings also go to the terminal. */
  readonly control: Log
  /** undefined where the settings leave no room for it. */
  readonly index: LogIndex | undefined

  constructor(options: ProgramLogsOptions) {
    this.#options = options
    this.index = openLogIndex(options, (error) =>
      this.control.warn({ error }, 'The index of the log cannot be written; the files have all lines'),
    )
    this.control = this.#openControl()
  }

  /** All relays have one file, and in the index each line is under its relay. */
  relays(): RelayLog {
    const file = this.#file('relay')
    return {
      write: (line, relay) => {
        file.write(line)
        this.index?.take({ source: 'relay', relay }, line)
      },
    }
  }

  demoAgent(): LineLog {
    return this.#both('demo-agent', { source: 'demo-agent' })
  }

  close(): void {
    this.index?.close()
    for (const file of this.#files) file.close()
  }

  #openControl(): Log {
    const log = this.#both('control', { source: 'control' })
    const write = (line: string) => {
      log.write(line)
      const sentence = sentenceOf(line)
      if (sentence !== undefined) this.#options.onTrouble(sentence)
    }
    const serializers = { error: pino.stdSerializers.err }
    return pino({ base: null, serializers, mixin: requestFields }, { write })
  }

  #both(name: string, origin: LogOrigin): LineLog {
    const file = this.#file(name)
    return {
      write: (line) => {
        file.write(line)
        this.index?.take(origin, line)
      },
    }
  }

  #file(name: string): LogFile {
    const file = new LogFile(join(folderOf(this.#options.data), `${name}.log`))
    this.#files.push(file)
    return file
  }
}

/** Also for reading alone: nothing is made before the first line. */
export function openLogIndex(
  { data, settings, clock }: Pick<ProgramLogsOptions, 'data' | 'settings' | 'clock'>,
  onTrouble: (error: unknown) => void,
): LogIndex | undefined {
  const { megabytes, days } = settings
  if (megabytes === 0) return undefined
  const limits = { bytesMax: megabytes * mebibyte, ageMaxMs: days * dayMs }
  return new LogIndex({ folder: folderOf(data), clock, ...limits, onTrouble })
}

function folderOf(data: string): string {
  return join(data, 'logs')
}
