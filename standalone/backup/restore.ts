/**
 * Puts a backup into an empty data folder. Everything is unpacked and checked in a folder inside, and moved only then;
 * as long as that folder is there no server starts. A restore that fails before it moves anything removes the folder;
 * later it leaves the folder there, since only a part of the data may have been moved. What the restored state means to
 * agents and relays that know a newer one is settled before (restored.ts).
 */
import { mkdirSync, readdirSync, rmdirSync, rmSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { makeFolder } from '@porttunneler/shared/base/make-folder'
import type { Secret } from '@porttunneler/shared/base/secret'
import { sayFileError } from '@porttunneler/shared/base/system-errors'
import { restoringFolder } from '../data-folder.ts'
import { runAlone } from '../office.ts'
import { checkDatabase } from '../platform/store.sqlite.snapshot.ts'
import { syncFolder } from './create.ts'
import { databaseName } from './manifest.ts'
import { readBackup } from './read.ts'

export type RestoreWish = {
  /** The data folder, which is empty or not there. */
  readonly data: string
  readonly file: string
  readonly passphrase?: Secret | undefined
  /** For the audit. */
  readonly operator: string
}

export type RestoreReport = {
  readonly data: string
  /** The moment whose state it holds. */
  readonly at: number
  /** The release that made it. */
  readonly version: string
  readonly documents: number
  readonly files: number
  /** What was ended, so that nothing of the time after it counts. */
  readonly settled: unknown
}

/**
 * @throws backup.occupied, backup.unfinished, backup.damaged, backup.passphrase, backup.newer, backup.failed,
 * store.newer, vault.unreadable
 */
export async function restoreBackup(
  wish: RestoreWish,
  random: () => number = Math.random,
): Promise<RestoreReport> {
  const { data, file, passphrase } = wish
  const staging = makeStaging(data)
  let isMoving = false
  try {
    const store = (name: string, content: AsyncIterable<Buffer>) => keep(join(staging, name), content)
    const manifest = await readBackup({ file, passphrase, store })
    const { documents } = checkDatabase(join(staging, databaseName))
    if (documents !== manifest.documents) throw fail('backup.damaged', 'Documents are missing in it.')
    const settled = await settle(staging, { at: manifest.at, operator: wish.operator }, random)
    isMoving = true
    for (const name of readdirSync(staging)) await rename(join(staging, name), join(data, name))
    await syncFolder(data)
    rmdirSync(staging)
    const { at, version, files } = manifest
    return { data, at, version, documents, files: files.length, settled }
  } catch (cause) {
    if (isMoving)
      throw fail('backup.unfinished', `Not all of it came into ${data}${sayFileError(cause)}`, { cause })
    rmSync(staging, { recursive: true, force: true })
    if (isFailure(cause)) throw cause
    throw fail('backup.failed', `${data} cannot be written${sayFileError(cause)}`, { cause })
  }
}

/** @throws backup.occupied, backup.unfinished, backup.failed */
function makeStaging(data: string): string {
  const staging = join(data, restoringFolder)
  try {
    makeFolder(data)
    const names = readdirSync(data)
    if (names.includes(restoringFolder))
      throw fail('backup.unfinished', `Another restore into ${data} did not finish, or is not done yet.`)
    const [first] = names
    if (first !== undefined) throw fail('backup.occupied', `${data} is not empty: it has "${first}" in it.`)
    // Two restores at once: only one of them can make it.
    mkdirSync(staging, { mode: 0o700 })
    return staging
  } catch (cause) {
    if (isFailure(cause)) throw cause
    throw fail('backup.failed', `${staging} cannot be made${sayFileError(cause)}`, { cause })
  }
}

async function keep(path: string, content: AsyncIterable<Buffer>): Promise<void> {
  makeFolder(dirname(path))
  const out = await open(path, 'wx', 0o600)
  try {
    for await (const part of content) await out.appendFile(part)
    await out.sync()
  } finally {
    await out.close()
  }
}

function settle(
  path: string,
  { at, operator }: { readonly at: number; readonly operator: string },
  random: () => number,
): Promise<unknown> {
  const folder = { path, file: (...names: string[]) => join(path, ...names), close: () => {} }
  return runAlone(folder, { act: 'backup.settle', input: { at }, operator }, random)
}
