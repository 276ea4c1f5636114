/**
 * Lets ptunctl work on a data folder: through the server that runs on it, or else on the folder itself, whose lock then
 * keeps a server from starting in the middle.
 */
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { systemClock } from '@porttunneler/shared/base/clock'
import { fail, isFailure, keyOfCode } from '@porttunneler/shared/base/errors'
import { silentLog } from '@porttunneler/shared/base/log'
import { saySocketError } from '@porttunneler/shared/base/system-errors'
import { type Order, runAct } from '@porttunneler/shared/control/operator/acts'
import { z } from 'zod'
import { type DataFolder, openDataFolder } from './data-folder.ts'
import { openDomain } from './domain.ts'
import { socketPath } from './office-socket.ts'
import manifest from './package.json' with { type: 'json' }
import { openLogIndex } from './program-logs.ts'

/** A large range of ports takes some seconds. */
const answerMs = 60_000
const answerSchema = z.union([
  z.object({ result: z.unknown() }).required(),
  z.object({ failure: z.object({ code: z.string(), detail: z.string() }) }),
])

/** @throws operator.nowhere, operator.unreachable, store.*, and the act's errors */
export async function runOnFolder(
  data: string,
  order: Order,
  random: () => number = Math.random,
): Promise<unknown> {
  if (!existsSync(join(data, 'store.db')))
    throw fail('operator.nowhere', `${data} is not the data folder of a server.`)
  const folder = tryOpen(data)
  return folder ? runAlone(folder, order, random) : askServer(data, order)
}

/** Undefined while a server uses it. */
function tryOpen(data: string): DataFolder | undefined {
  try {
    return openDataFolder(data)
  } catch (error) {
    if (isFailure(error, 'standalone.running')) return undefined
    throw error
  }
}

/** On a folder that no server uses; closes it. */
export async function runAlone(folder: DataFolder, order: Order, random: () => number): Promise<unknown> {
  await using opened = new AsyncDisposableStack()
  opened.defer(() => folder.close())
  // No act shows an address, signs, or makes an account.
  const unused = {
    consoleUrl: 'http://localhost',
    registration: 'closed',
    plan: 'free',
    version: manifest.version,
  } as const
  const around = { clock: systemClock, random, log: silentLog }
  // Whatever its settings are, what was kept is read.
  const settings = { megabytes: 64, days: 14 }
  const logs = openLogIndex({ data: folder.path, settings, clock: systemClock }, () => {})
  opened.defer(() => logs?.close())
  const domain = openDomain({ folder, ...unused, ...around, logs }, () => {})
  opened.defer(() => domain.close())
  return await runAct({ control: domain.control, enrolment: domain.relayIdentity }, order)
}

async function askServer(data: string, order: Order): Promise<unknown> {
  const socket = connect({ path: socketPath(data), allowHalfOpen: true })
  socket.setTimeout(answerMs, () => socket.destroy(new Error('no answer')))
  let said: z.infer<typeof answerSchema>
  try {
    socket.end(JSON.stringify(order))
    said = answerSchema.parse(JSON.parse(await text(socket)))
  } catch (cause) {
    const detail = `${socketPath(data)} does not answer${saySocketError(cause)}`
    throw fail('operator.unreachable', detail, { cause })
  } finally {
    socket.destroy()
  }
  if ('result' in said) return said.result
  throw fail(keyOfCode(said.failure.code) ?? 'api.internal', said.failure.detail)
}
