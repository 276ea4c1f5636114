/**
 * `ptun doctor`: looks at everything between this machine and a working tunnel, in the order in which it is needed, and
 * says what is wrong and what to do. It changes nothing.
 */
import { type Config, configName } from '../config.ts'
import type { Connection, Context } from '../context.ts'
import { clientFor, connectApi, paintOf, say, serverOf, tell } from '../context.ts'
import { type Finding, failed, finding, fine } from '../doctor/check.ts'
import {
  lookAtAgents,
  lookAtFolders,
  lookAtProgram,
  lookAtUpstreams,
  readOwnConfig,
} from '../doctor/machine.ts'
import { askServer, lookAtCertificate, lookAtProxy, lookAtRelays, lookUp, placeOf } from '../doctor/way.ts'
import { formatTable, type Paint, printable } from '../output/format.ts'

/** @returns 1 if something is broken */
export async function doctor(plain: Context): Promise<number> {
  const findings: Finding[] = []
  const paint = paintOf(plain)
  const note = (some: readonly Finding[]) => {
    findings.push(...some)
    for (const one of some) {
      tell(plain, { event: 'check', ...one })
      say(plain, ...linesOf(one, paint))
    }
  }
  note([lookAtProgram()])
  note(await finding('folders', () => lookAtFolders(plain)))
  const config = await configOf(plain, note)
  note(await finding('upstream', () => lookAtUpstreams(plain, config?.tunnels ?? [])))
  note(await finding('agents', () => lookAtAgents(plain)))
  const proxy = config?.proxy
  await lookOutside(proxy === undefined ? plain : { ...plain, proxy: () => proxy }, note)
  const broken = findings.filter(({ state }) => state === 'failed').length
  const doubtful = findings.filter(({ state }) => state === 'warning').length
  tell(plain, { event: 'doctor', failed: broken, warnings: doubtful })
  say(plain, '', verdict(broken, doubtful, paint))
  return broken > 0 ? 1 : 0
}

type Note = (some: readonly Finding[]) => void

async function configOf(context: Context, note: Note): Promise<Config | undefined> {
  try {
    const config = await readOwnConfig(context)
    if (config) note([fine(configName, `${config.tunnels.length} tunnels`)])
    return config
  } catch (error) {
    note([failed(configName, error)])
    return undefined
  }
}

/** Each step needs the one before: what cannot be looked at is not reported as broken too. */
async function lookOutside(context: Context, note: Note): Promise<void> {
  let server = ''
  note(
    await finding('server', async () => {
      server = await serverOf(context)
      return lookAtProxy(context, placeOf(server))
    }),
  )
  if (server === '') return
  const place = placeOf(server)
  const isProxied = context.proxy?.() !== undefined
  if (!isProxied) note(await finding('name', () => lookUp(place)))
  if (!isProxied && place.isEncrypted) note(await finding('certificate', () => lookAtCertificate(place)))
  const reached = await finding('server', async () =>
    askServer(context, await clientFor(context, server), server),
  )
  note(reached)
  if (reached.some(({ state }) => state === 'failed')) return
  let connection: Connection | undefined
  note(
    await finding('sign-in', async () => {
      connection = await connectApi(context)
      const { accountName, role, plan } = await connection.client.me()
      return fine('sign-in', `${printable(accountName)}, ${role}, plan ${plan}`)
    }),
  )
  if (!connection) return
  const { client } = connection
  note(await finding('relays', async () => lookAtRelays(context, await client.cells())))
}

const marks = { ok: 'ok', warning: 'look', failed: 'FAIL' } as const
const colours = { ok: 'green', warning: 'yellow', failed: 'red' } as const

function linesOf({ name, state, text, cure, code }: Finding, paint: Paint): readonly string[] {
  const [mark, what] = [marks[state].padEnd(4), name.padEnd(12)]
  const [line = ''] = formatTable([[paint(colours[state], mark), what, printable(text)]])
  const indent = ' '.repeat(20)
  return [
    `${line}${code === undefined ? '' : paint('dim', `  ${code}`)}`,
    ...(cure === undefined || state === 'ok' ? [] : [`${indent}${paint('dim', cure)}`]),
  ]
}

function verdict(broken: number, doubtful: number, paint: Paint): string {
  if (broken > 0) return paint('red', `${broken} ${broken === 1 ? 'thing is' : 'things are'} broken.`)
  if (doubtful > 0) return paint('yellow', `Everything works; ${doubtful} to look at.`)
  return paint('green', 'Everything works.')
}
