/** Gives a whole draft its name, and never takes the name from a file that came to be meanwhile. */
import { existsSync } from 'node:fs'
import { link, rename } from 'node:fs/promises'
import { fail } from '@porttunneler/shared/base/errors'

type MakeLink = (from: string, to: string) => Promise<void>

/**
 * The draft may stay under its old name too; the caller removes it.
 * @throws backup.occupied, or the system's error
 */
export async function placeDraft(draft: string, file: string, makeLink: MakeLink = link): Promise<void> {
  try {
    // Unlike a rename, a link fails where the name is taken.
    await makeLink(draft, file)
  } catch (error) {
    const isTaken = error instanceof Error && 'code' in error && error.code === 'EEXIST'
    if (isTaken || existsSync(file)) throw fail('backup.occupied', `${file} exists.`, { cause: error })
    // Some disks have no links (FAT, some shares); there a file can still come between this look and the rename.
    await rename(draft, file)
  }
}
