/**
 * The backup verbs that ptunctl runs itself, on the files of a data folder: no server has to run, and none is asked.
 */
import { resolve } from 'node:path'
import { systemClock } from '@porttunneler/shared/base/clock'
import { unreachable } from '@porttunneler/shared/base/unreachable'
import { z } from 'zod'
import type { OwnAct } from './program.ts'

export type OwnBackup = Exclude<OwnAct, 'audit.check'>

export function isOwnBackup(act: string): act is OwnBackup {
  return act === 'backup.create' || act === 'backup.check' || act === 'backup.restore'
}

const inputSchema = z.looseObject({ file: z.string().min(1), passphraseFile: z.string().min(1).optional() })

/** @throws backup.*, store.*, operator.nowhere, operator.usage */
export async function runOwnBackup(
  act: OwnBackup,
  input: object,
  { data, operator }: { readonly data: string; readonly operator: string },
): Promise<unknown> {
  const { file: name, passphraseFile } = inputSchema.parse(input)
  const file = resolve(name)
  // A program that only lists cells need not load any of this.
  const { createBackup, readPassphrase } = await import('@porttunneler/standalone/backup/create')
  const passphrase = passphraseFile === undefined ? undefined : await readPassphrase(passphraseFile)
  if (act === 'backup.create') return createBackup({ data, file, passphrase, nowMs: systemClock.now() })
  if (act === 'backup.check') {
    const { readBackup } = await import('@porttunneler/standalone/backup/read')
    const { at, version, documents, files } = await readBackup({ file, passphrase })
    return { file, at, version, documents, files: files.length, encrypted: passphrase !== undefined }
  }
  if (act !== 'backup.restore') return unreachable(act)
  const { restoreBackup } = await import('@porttunneler/standalone/backup/restore')
  return restoreBackup({ data, file, passphrase, operator })
}
