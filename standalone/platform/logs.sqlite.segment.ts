/**
 * One file of the log's index (logs.sqlite.ts): a table of lines, and the words of each in FTS5. Lines are only added,
 * so the words are kept without their text (`content=''`), and age and size end a whole file at once, without a
 * long delete. Two processes may write to it while one server takes over from another.
 */
import { closeSync, openSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { type LogLevel, logLevels } from '@porttunneler/shared/base/log'
import { type LogLine, wordsIn } from '@porttunneler/shared/control/logs/line'
import type { LogQuery } from '@porttunneler/shared/control/logs/query'
import { z } from 'zod'

/** Neither a crash nor a power cut may cost more than the newest lines; no line is worth waiting for the disk. */
const schema = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  PRAGMA cache_size = -1024;
  CREATE TABLE IF NOT EXISTS lines (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    level INTEGER NOT NULL,
    source TEXT NOT NULL,
    relay TEXT,
    code TEXT,
    request TEXT,
    account TEXT,
    message TEXT NOT NULL,
    fields TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS lines_code ON lines (code, id) WHERE code IS NOT NULL;
  CREATE INDEX IF NOT EXISTS lines_request ON lines (request, id) WHERE request IS NOT NULL;
  CREATE INDEX IF NOT EXISTS lines_account ON lines (account, id) WHERE account IS NOT NULL;
  CREATE INDEX IF NOT EXISTS lines_trouble ON lines (id) WHERE level >= 2;
  CREATE INDEX IF NOT EXISTS lines_at ON lines (at);
  CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(text, content='', tokenize='unicode61');
`

const rowSchema = z.object({
  id: z.number(),
  at: z.number(),
  level: z.number(),
  source: z.string(),
  relay: z.string().nullable(),
  code: z.string().nullable(),
  request: z.string().nullable(),
  account: z.string().nullable(),
  message: z.string(),
  fields: z.string(),
})

export type NewLine = Omit<LogLine, 'id'>

export class LogSegment {
  readonly #path: string
  readonly #db: DatabaseSync

  /** Makes the file when there is none. @throws what SQLite says */
  constructor(path: string) {
    this.#path = path
    closeSync(openSync(path, 'a', 0o600))
    // Who waited for another writer would hold up the whole server; lines wait instead, and are tried again.
    this.#db = new DatabaseSync(path, { timeout: 0 })
    try {
      this.#db.exec(schema)
    } catch (error) {
      this.#db.close()
      throw error
    }
  }

  /** With what is not yet in the main file. */
  get bytes(): number {
    return sizeOf(this.#path) + sizeOf(`${this.#path}-wal`)
  }

  /** When its newest line was written, ms; undefined when it has none. */
  get newestAt(): number | undefined {
    const at = this.#db.prepare('SELECT max(at) AS at FROM lines').get()?.at
    return typeof at === 'number' ? at : undefined
  }

  /** All or none. */
  add(lines: readonly NewLine[]): void {
    const db = this.#db
    const line = db.prepare(
      'INSERT INTO lines (at, level, source, relay, code, request, account, message, fields) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    )
    const words = db.prepare('INSERT INTO words (rowid, text) VALUES (?, ?)')
    db.exec('BEGIN IMMEDIATE')
    try {
      for (const each of lines) {
        const { at, level, source, relay = null, code = null, request = null, account = null } = each
        const rank = logLevels.indexOf(level)
        const fields = JSON.stringify(each.fields)
        const { lastInsertRowid } = line.run(
          at,
          rank,
          source,
          relay,
          code,
          request,
          account,
          each.message,
          fields,
        )
        words.run(lastInsertRowid, wordsIn(each))
      }
      db.exec('COMMIT')
    } catch (error) {
      // A full disk has ended the transaction already.
      if (db.isTransaction) db.exec('ROLLBACK')
      throw error
    }
  }

  /** The newest first. @param before only rows that were added before this one */
  search(
    query: LogQuery,
    { limit, before }: { limit: number; before: number },
  ): readonly z.infer<typeof rowSchema>[] {
    const { from, where, values } = conditions(query, before)
    const sql = `SELECT lines.* FROM ${from} WHERE ${where.join(' AND ')} ORDER BY lines.id DESC LIMIT ?`
    return this.#db
      .prepare(sql)
      .all(...values, limit)
      .map((row) => rowSchema.parse(row))
  }

  close(): void {
    this.#db.close()
  }
}

/** @param name of the segment */
export function lineOf(row: z.infer<typeof rowSchema>, name: string): LogLine {
  const { id, at, level, source, relay, code, request, account, message, fields } = row
  return {
    id: `${name}:${id}`,
    at,
    level: logLevels[level] ?? 'error',
    source,
    ...(relay !== null && { relay }),
    ...(code !== null && { code }),
    ...(request !== null && { request }),
    ...(account !== null && { account }),
    message,
    fields: JSON.parse(fields) as Record<string, unknown>,
  }
}

function conditions({ words, levelMin, from, to, ...fields }: LogQuery, before: number) {
  const where = ['lines.id < ?']
  const values: (string | number)[] = [before]
  const add = (condition: string, value: string | number) => {
    where.push(condition)
    values.push(value)
  }
  if (words.length > 0) add('words MATCH ?', words.map(quoted).join(' AND '))
  for (const field of ['code', 'request', 'relay', 'account', 'source'] as const) {
    const value = fields[field]
    if (value !== undefined) add(`lines.${field} = ?`, value)
  }
  // As text, so that SQLite knows that the index of troubles has them all.
  if (levelMin !== undefined) where.push(`lines.level >= ${rankOf(levelMin)}`)
  if (from !== undefined) add('lines.at >= ?', from)
  if (to !== undefined) add('lines.at <= ?', to)
  return { from: words.length > 0 ? 'words JOIN lines ON lines.id = words.rowid' : 'lines', where, values }
}

function rankOf(level: LogLevel): number {
  return logLevels.indexOf(level)
}

/** A text of FTS5, whose words have to follow each other (sqlite.org/fts5.html, section 3.1). */
function quoted(word: string): string {
  return `"${word.replaceAll('"', '""')}"`
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
