/**
 * Names of the account for the shell's completion: asked of the server with a short deadline, and kept for a minute, so
 * that several presses of Tab cost one call. Whatever goes wrong, the shell gets what is kept, or nothing.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { tunnelNameSchema } from '@porttunneler/shared/api/schemas/common'
import { hashSecret } from '@porttunneler/shared/base/ids'
import { z } from 'zod'
import { type Context, connectApi } from '../context.ts'
import { printable } from '../output/format.ts'
import { stateFolder, writePrivateFile } from '../paths.ts'
import type { Candidate } from './candidates.ts'

/** Somebody waits with a finger on Tab. */
const askMs = 1_500
const keptMs = 60_000
/** The first page; a shell does not list more in a useful way. */
const namesMax = 100
const bytesMax = 64 * 1024

const listSchema = z.array(z.object({ value: z.string(), text: z.string() })).max(namesMax)
const keptSchema = z.record(z.string(), z.object({ at: z.number(), list: listSchema }))
type Kept = z.infer<typeof keptSchema>

export type AccountList = 'tunnels' | 'keys'

/** Never rejects. @param ask what is asked, in place of the server */
export async function accountNames(
  context: Context,
  which: AccountList,
  ask: (
    context: Context,
    which: AccountList,
  ) => Promise<{ owner: string; find(): Promise<readonly Candidate[]> }> = askServer,
): Promise<readonly Candidate[]> {
  try {
    const { owner, find } = await ask(context, which)
    const path = join(stateFolder(context.env), 'completion.json')
    const kept = await readKept(path)
    const own = `${which} ${owner}`
    const now = context.clock.now()
    const had = kept[own]
    if (had && now >= had.at && now - had.at < keptMs) return had.list
    const list = await withinDeadline(context, find())
    if (!list) return had?.list ?? []
    // One account at a time: others are asked anew.
    const rest = Object.entries(kept).filter(([key]) => key.endsWith(` ${owner}`))
    await writePrivateFile(path, JSON.stringify({ ...Object.fromEntries(rest), [own]: { at: now, list } }))
    return list
  } catch {
    return []
  }
}

async function askServer(context: Context, which: AccountList) {
  const { client, server, credential } = await connectApi(context)
  return {
    // No name of the account is in the file before its key is there.
    owner: hashSecret(`${server} ${credential.key.reveal()}`),
    find: async () => {
      if (which === 'tunnels') {
        const { items } = await client.tunnels({ limit: namesMax, sort: 'name' })
        return items.map(({ name, endpoint }) => ({ value: name, text: endpoint?.url ?? '' }))
      }
      const { items } = await client.keys({ limit: namesMax })
      return items.map(({ id, name }) => ({ value: id, text: name }))
    },
  }
}

/** @returns undefined if it took too long, or failed; then what is kept must do */
async function withinDeadline(
  { clock }: Context,
  asked: Promise<readonly Candidate[]>,
): Promise<readonly Candidate[] | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  const timer = clock.after(askMs, () => resolve(undefined), { background: true })
  try {
    const found = await Promise.race([asked.catch(() => undefined), promise])
    return found?.flatMap(({ value, text }) =>
      // It becomes a part of a command line.
      tunnelNameSchema.safeParse(value).success || /^\w{1,64}$/.test(value)
        ? [{ value, text: printable(text).replaceAll('\n', ' ').slice(0, 80) }]
        : [],
    )
  } finally {
    timer.clear()
  }
}

async function readKept(path: string): Promise<Kept> {
  try {
    const text = await readFile(path, 'utf8')
    return text.length > bytesMax ? {} : keptSchema.parse(JSON.parse(text))
  } catch {
    return {}
  }
}
