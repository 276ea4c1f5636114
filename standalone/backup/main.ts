/**
 * Makes one backup, as a process beside the server: `node main.ts '{"data":…,"file":…}'`. Its own priority is low. The
 * exit code says whether it was made, and stderr why not.
 */
import { setPriority } from 'node:os'
import process from 'node:process'
import { systemClock } from '@porttunneler/shared/base/clock'
import { isFailure } from '@porttunneler/shared/base/errors'
import { z } from 'zod'
import { createBackup, readPassphrase } from './create.ts'

const wishSchema = z.strictObject({
  data: z.string(),
  file: z.string(),
  passphraseFile: z.string().optional(),
})

try {
  const { passphraseFile, ...wish } = wishSchema.parse(JSON.parse(process.argv[2] ?? ''))
  setPriority(10)
  const passphrase = passphraseFile === undefined ? undefined : await readPassphrase(passphraseFile)
  await createBackup({ ...wish, passphrase, nowMs: systemClock.now() })
} catch (error) {
  if (!isFailure(error)) throw error
  process.stderr.write(`${error.code} ${error.detail}\n`)
  process.exitCode = error.entry.exit
}
