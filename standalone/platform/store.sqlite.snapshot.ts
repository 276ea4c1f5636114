/**
 * A copy of a database as it is at one moment, while a server writes to it. `VACUUM INTO` reads in one transaction, so
 * it keeps no writer waiting, and the copy has no free pages and no log beside it.
 */
import { closeSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { fail } from '@porttunneler/shared/base/errors'
import { storeFailure } from './store.sqlite.database.ts'

export type DatabaseFacts = {
  /** The format, as `user_version` of the file. */
  readonly format: number
  readonly documents: number
  /** The number of the last commit. */
  readonly commit: number
}

/** For the moment in which the server opens or ends its log. */
const busyMs = 10_000

/**
 * @param to does not exist; it is made with mode 0600
 * @throws store.*, naming the file
 */
export function snapshotDatabase(from: string, to: string): DatabaseFacts {
  naming(to, () => closeSync(openSync(to, 'wx', 0o600)))
  naming(from, () => {
    const db = new DatabaseSync(from, { timeout: busyMs })
    try {
      db.prepare('VACUUM INTO ?').run(to)
    } finally {
      db.close()
    }
  })
  return checkDatabase(to)
}

/** Reads every page. @throws store.corrupt, naming the file */
export function checkDatabase(path: string): DatabaseFacts {
  return naming(path, () => {
    const db = new DatabaseSync(path, { readOnly: true })
    try {
      const [found] = db.prepare('PRAGMA quick_check(1)').all()
      if (found?.quick_check !== 'ok') throw fail('store.corrupt', String(found?.quick_check))
      const one = (sql: string) => Number(Object.values(db.prepare(sql).get() ?? {})[0])
      return {
        format: one('PRAGMA user_version'),
        documents: one('SELECT count(*) FROM documents'),
        commit: one('SELECT last FROM commits'),
      }
    } finally {
      db.close()
    }
  })
}

function naming<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    const { key, detail } = storeFailure(cause)
    throw fail(key, `${path}: ${detail}`, { fields: { path }, cause })
  }
}
