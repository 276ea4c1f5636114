/**
 * Says once a day that the server has a newer version than this ptun: both are released together, so the server knows
 * what goes with it, and nobody else is asked. Only on a terminal, never in CI, and off with PTUN_NO_UPDATE_NOTICE.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Client } from '@porttunneler/shared/api/client'
import { z } from 'zod'
import type { Context } from './context.ts'
import { stateFolder, writePrivateFile } from './paths.ts'
import { version } from './version.ts'

const dayMs = 24 * 3_600_000
/** It is no matter of urgency: tomorrow is another day. */
const askMs = 5_000
const keptSchema = z.record(z.string(), z.number())

export type UpdateOptions = {
  readonly server: string
  readonly client: Pick<Client, 'health'>
  /** The version that runs, and the file that was started. */
  readonly own?: string
  readonly program?: string
}

/** Never rejects, and nobody need wait for it. @returns the sentence to show, or undefined */
export async function updateNotice(
  context: Context,
  { server, client, own = version, program = process.argv[1] ?? '' }: UpdateOptions,
): Promise<string | undefined> {
  const { env, stdout, isJson, clock } = context
  if (isJson || !stdout.isTTY || env.CI || env.PTUN_NO_UPDATE_NOTICE) return undefined
  try {
    const path = join(stateFolder(env), 'update.json')
    const asked = await readAsked(path)
    const now = clock.now()
    const before = asked[server]
    if (before !== undefined && now >= before && now - before < dayMs) return undefined
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const timer = clock.after(askMs, () => resolve(undefined), { background: true })
    const found = await Promise.race([client.health(), promise])
    timer.clear()
    if (!found) return undefined
    await writePrivateFile(path, JSON.stringify({ ...asked, [server]: now }))
    const notice = noticeOf(own, found.version, program)
    return notice && `${notice.text}. ${notice.cure}`
  } catch {
    // The server is away, or the folder cannot be written: others say so.
    return undefined
  }
}

async function readAsked(path: string): Promise<Readonly<Record<string, number>>> {
  try {
    return keptSchema.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch {
    return {}
  }
}

/** @returns undefined unless `there` is a release that is newer than `own` */
export function noticeOf(
  own: string,
  there: string,
  program: string,
): { readonly text: string; readonly cure: string } | undefined {
  if (!isNewer(there, own)) return undefined
  // packaging/deb.ts puts it there.
  const how = program.startsWith('/usr/lib/ptun/')
    ? 'by your package manager.'
    : `npm install -g porttunneler@${there}`
  return { text: `ptun ${there} is out, and the server runs it; this is ${own}`, cure: `Update it: ${how}` }
}

/** Releases alone: who runs a pre-release knows what they do. */
function isNewer(there: string, own: string): boolean {
  const [a, b] = [numbersOf(there), numbersOf(own)]
  if (!a || !b) return false
  const at = a.findIndex((number, place) => number !== b[place])
  return at >= 0 && (a[at] ?? 0) > (b[at] ?? 0)
}

function numbersOf(text: string): readonly number[] | undefined {
  const found = /^(\d{1,6})\.(\d{1,6})\.(\d{1,6})$/.exec(text)
  return found?.slice(1).map(Number)
}
