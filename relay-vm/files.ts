/** Files of the data folder: JSON checked by a schema, replaced whole, readable by the relay's own user only. */
import { open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fail } from '@porttunneler/shared/base/errors'
import { makeFolder } from '@porttunneler/shared/base/make-folder'
import { closeToOthers } from '@porttunneler/shared/base/private-files'
import { sayFileError } from '@porttunneler/shared/base/system-errors'
import type { z } from 'zod'

/** Hears where a damaged file went, and why it is one. */
export type OnSetAside = (path: string, cause: unknown) => void

/**
 * Reads and checks a file; undefined when there is none. With `onSetAside` one that is not what the schema says is
 * renamed to `<path>.damaged` (replacing an older one) and counts as none: a relay must not stay down for it.
 * @throws relay.data when it cannot be read, or is not what the schema says and nobody hears of it
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

/**
 * Replaces a file in one step (written beside it, fsync, renamed), mode 0600: after a crash the old or the new content
 * is there, never a half of each. The folder itself is not synced: after a loss of power the old content may be there
 * although this resolved, which costs no more than one interval of saving.
 * @throws relay.data
 */
export async function writeText(path: string, text: string): Promise<void> {
  const draft = `${path}.new`
  try {
    makeFolder(dirname(path))
    // A leftover would keep its mode, and whoever has it open would read along.
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

/** A file that is written again and again: only when it changed, and one write at a time. */
export class KeptFile {
  readonly #path: string
  readonly #text: () => string
  #saving: Promise<void> | undefined
  #isChanged = false

  constructor(path: string, text: () => string) {
    this.#path = path
    this.#text = text
  }

  /** What `text` says is no longer what the disk has. */
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
      // In the same turn as the last look at `#isChanged`: whoever comes later begins anew.
      this.#saving = undefined
    }
  }
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
