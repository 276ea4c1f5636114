/** Files of the data folder: JSON checked by a schema, replaced whole, and readable only by the relay's own user. */
import { open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fail } from '@porttunneler/shared/base/errors'
import { makeFolder } from '@porttunneler/shared/base/make-folder'
import { closeToOthers } from '@porttunneler/shared/base/private-files'
import { sayFileError } from '@porttunneler/shared/base/system-errors'
import type { z } from 'zod'

/** Is told where a damaged file went, and what is wrong with it. */
export type OnSetAside = (path: string, cause: unknown) => void

/**
 * Reads and checks a file; undefined when there is none. With `onSetAside`, a file that does not match the schema is
 * renamed to `<path>.damaged` (replacing an older one) and counts as none, because a relay must not stay down for it.
 * @throws relay.data when it cannot be read, or when it does not match the schema and there is no `onSetAside`
 */
export async function readJson<T>(
  path: string,
  schema: z.ZodType<T>,
  onSetAside?: OnSetAside,
): Promise<T | undefined> {
  let text: string
  try {
    closeToOthers(path)
    text = await readFile(path, 'utf8')
  } catch (cause) {
    if (isMissing(cause)) return undefined
    throw fail('relay.data', `${path} cannot be read${sayFileError(cause)}`, { cause })
  }
  try {
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    if (onSetAside === undefined)
      throw fail('relay.data', `${path} does not hold what the relay wrote there; move it away`, { cause })
    await setAside(path)
    onSetAside(`${path}.damaged`, cause)
    return undefined
  }
}

async function setAside(path: string): Promise<void> {
  try {
    await rename(path, `${path}.damaged`)
  } catch (cause) {
    throw fail('relay.data', `${path} is damaged and cannot be renamed${sayFileError(cause)}`, { cause })
  }
}

/** The content of a file: whole, or in parts between which others have their turn. */
export type FileText = string | Iterable<string>

/** This many take a few ms. */
const listedPerPart = 500

/** The JSON of `{ version: 1, [name]: items }` in parts; the items may change until they are written. */
export function* listText(name: string, items: Iterable<unknown>): Generator<string> {
  let part = `{"version":1,${JSON.stringify(name)}:[`
  let count = 0
  for (const item of items) {
    part += `${count > 0 ? ',' : ''}${JSON.stringify(item)}`
    count += 1
    if (count % listedPerPart > 0) continue
    yield part
    part = ''
  }
  yield `${part}]}`
}

/**
 * Replaces a file in one step (written beside it, fsync, renamed) with mode 0600: after a crash the old or the new
 * content is there, never half of each. The folder itself is not synced: after a loss of power the old content may be
 * there although this resolved, which costs no more than one interval of saving.
 * @throws relay.data
 */
export async function writeText(path: string, text: FileText): Promise<void> {
  const draft = `${path}.new`
  try {
    makeFolder(dirname(path))
    // A leftover would keep its mode, and a process that has it open could read the new content.
    await rm(draft, { force: true })
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, path)
  } catch (cause) {
    throw fail('relay.data', `${path} cannot be written${sayFileError(cause)}`, { cause })
  }
}

/** A file that is written again and again, only when it changed, and by one write at a time. */
export class KeptFile {
  readonly #path: string
  readonly #text: () => FileText
  #saving: Promise<void> | undefined
  #isChanged = false

  constructor(path: string, text: () => FileText) {
    this.#path = path
    this.#text = text
  }

  /** Call it when `text` is no longer what the disk has. */
  changed(): void {
    this.#isChanged = true
  }

  /**
   * Resolves when content not older than this call is on disk, also when another call has begun to write it. After a
   * failure the next call tries again.
   * @throws relay.data
   */
  async save(): Promise<void> {
    if (this.#isChanged) this.#saving ??= this.#write()
    await this.#saving
  }

  async #write(): Promise<void> {
    try {
      while (this.#isChanged) {
        this.#isChanged = false
        await writeText(this.#path, this.#text())
      }
    } catch (error) {
      this.#isChanged = true
      throw error
    } finally {
      // In the same turn as the last check of `#isChanged`, so that a later call begins anew.
      this.#saving = undefined
    }
  }
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
