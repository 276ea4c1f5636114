/** The setting `backup`: how often a server backs itself up, where to, and how many backups stay. */
import { z } from 'zod'

const unitsMs = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const

const spanSchema = z
  .string()
  .regex(/^[1-9]\d{0,3}[mhd]$/, 'a time such as 24h, 7d or 30m')
  .transform((text) => Number(text.slice(0, -1)) * unitsMs[text.at(-1) as keyof typeof unitsMs])

export const backupSchema = z.strictObject({
  /** The time between two. */
  every: spanSchema,
  /** How many stay; older ones of this server are removed once a new one is whole. */
  keep: z.int().min(1).max(1_000).default(14),
  /** Best on another disk. */
  folder: z.string().min(1),
  /** A file whose first line is the passphrase; without it backups are not encrypted. */
  passphraseFile: z.string().min(1).optional(),
})
export type BackupSettings = z.infer<typeof backupSchema>
