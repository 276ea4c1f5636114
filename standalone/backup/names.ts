/**
 * Names of scheduled backups: `porttunneler-<server>-20260131T120000Z.tar.gz`, with `.age` where it is encrypted. The
 * server's part keeps two servers apart that write into one folder: neither takes the other's backup for its own, nor
 * removes it. The order of one server's names is that of time.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { keyName } from './manifest.ts'

const nameShape = /^porttunneler-([0-9a-f]{8})-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\.tar\.gz(?:\.age)?$/

/**
 * Eight hexadecimal digits that stay the same for a data folder, also after it was restored elsewhere: the start of a
 * hash of its master key. 32 bits of a hash say nothing useful about 256 random bits.
 */
export function serverMark(data: string): string {
  const key = readFileSync(join(data, keyName), 'utf8').trim()
  return createHash('sha256').update(`name of backups ${key}`).digest('hex').slice(0, 8)
}

export type NamedBackup = { readonly name: string; readonly at: number }

/**
 * This server's backups, the oldest first. Names from the future are left out: a clock that was ahead made them, and
 * they must neither put the next backup off nor take the place of one that is to stay.
 */
export async function backupsUntil(
  nowMs: number,
  { folder, server }: { readonly folder: string; readonly server: string },
): Promise<readonly NamedBackup[]> {
  const names = await readdir(folder)
  return names.sort().flatMap((name) => {
    const [, mark, year, month, day, hour, minute, second] = nameShape.exec(name) ?? []
    const at = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
    return mark === server && at <= nowMs ? [{ name, at }] : []
  })
}

export function nameAt(nowMs: number, server: string, isEncrypted: boolean): string {
  const time = new Date(nowMs)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replace(/[-:]/g, '')
  return `porttunneler-${server}-${time}.tar.gz${isEncrypted ? '.age' : ''}`
}
