/** Keeps the data folder private, also where an older release, a copy or a service manager made it with wider modes. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fail } from '@porttunneler/shared/base/errors'
import { closeToOthers } from '@porttunneler/shared/base/private-files'
import { sayFileError } from '@porttunneler/shared/base/system-errors'

/** The relay's own entries; anything else in the folder is not ours to change. */
const own = /^((state|usage|events|certificates|places|credential)\.json(\.new|\.damaged)?|tls)$/

/**
 * Sets the modes that this release would have set. A folder that is used for something else too keeps its mode; our
 * files in it are closed one by one.
 * @throws relay.data
 */
export function closeDataDir(path: string): void {
  if (!existsSync(path)) return
  try {
    const names = readdirSync(path)
    if (names.every((name) => own.test(name))) closeToOthers(path)
    for (const name of names.filter((one) => own.test(one))) closeToOthers(join(path, name))
    if (names.includes('tls'))
      for (const name of readdirSync(join(path, 'tls'))) closeToOthers(join(path, 'tls', name))
  } catch (cause) {
    throw fail('relay.data', `${path} cannot be read${sayFileError(cause)}`, { cause })
  }
}
