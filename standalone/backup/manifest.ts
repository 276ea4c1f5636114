/**
 * What is in a backup: a tar, compressed by gzip, and encrypted where a passphrase is given (age.ts). Its first file
 * is the list of the others with their hashes; the database comes last.
 */
import { fail } from '@porttunneler/shared/base/errors'
import { z } from 'zod'

/** The first file. */
export const manifestName = 'backup.json'
/** Far more than any list of files needs. */
export const manifestBytesMax = 4 * 1024 * 1024
/** Raise it when an older release must not read a backup. */
export const backupFormat = 1

export const backupKind = 'porttunneler standalone backup'
export const databaseName = 'store.db'
export const keyName = 'master.key'
/** Single files of the data folder, and folders of which every file belongs to a backup. */
export const keptFiles: readonly string[] = [keyName, 'standalone.yaml']
export const keptFolders = /^(ca|demo(-b)?|relay(-\d+)?(-b)?)$/
const folderFile = /^(ca|demo(-b)?|relay(-\d+)?(-b)?)(\/(?!\.)[\w.@+-]{1,64}){1,3}$/

/** What a relay knows of the control plane, such as keys of tickets: after a restore it has to ask again. */
const relayState = /^relay(-\d+)?(-b)?\/state\.json/

/** Whether a backup may hold this file: nothing in it leads out of the data folder. */
export function isKept(name: string): boolean {
  if (relayState.test(name)) return false
  return name === databaseName || keptFiles.includes(name) || (folderFile.test(name) && name.length < 100)
}

const manifestSchema = z.object({
  kind: z.literal(backupKind),
  format: z.int().min(1),
  /** The release that made it. */
  version: z.string().max(64),
  /** The moment whose state it holds. */
  at: z.int().min(0),
  documents: z.int().min(0),
  files: z
    .array(
      z.object({
        name: z.string().refine(isKept),
        bytes: z.int().min(0),
        sha256: z.string().regex(/^[0-9a-f]{64}$/),
      }),
    )
    .max(10_000)
    .refine((files) => new Set(files.map(({ name }) => name)).size === files.length)
    .refine((files) => [databaseName, keyName].every((name) => files.some((file) => file.name === name))),
})
export type Manifest = z.infer<typeof manifestSchema>

/** @throws backup.newer, backup.damaged */
export function parseManifest(text: string): Manifest {
  try {
    const value: unknown = JSON.parse(text)
    const { format = 0 } = z.looseObject({ format: z.int() }).safeParse(value).data ?? {}
    if (format > backupFormat)
      throw fail('backup.newer', `The format is ${format}, this release knows up to ${backupFormat}.`)
    return manifestSchema.parse(value)
  } catch (cause) {
    if (cause instanceof SyntaxError || cause instanceof z.ZodError)
      throw fail('backup.damaged', undefined, { cause })
    throw cause
  }
}
