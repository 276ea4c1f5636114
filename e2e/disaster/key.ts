/** The key that seals is lost: a server starts with another one, and what it cannot open is made anew. */
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '@porttunneler/shared/base/clock'
import { z } from 'zod'
import { check, type DrillResult } from './drill.ts'
import { Visitors } from './visitors.ts'
import { killServer, openWorld } from './world.ts'

const backMs = 60_000
const listSchema = z.array(z.object({ kind: z.string(), opens: z.number(), lost: z.number() }))

export async function loseKey(): Promise<DrillResult> {
  await using parts = new AsyncDisposableStack()
  const world = await openWorld(parts)
  const data = world.server.folder
  const agent = await world.startAgent('web')
  const url = await agent.online('web')
  const visitors = new Visitors(() => world.visit(url))
  parts.defer(() => visitors.close())
  await visitors.backSince(systemClock.monotonic(), backMs)

  await killServer(world.server)
  const lostMs = systemClock.monotonic()
  writeFileSync(join(data, 'master.key'), `${randomBytes(32).toString('base64')}\n`)
  await world.start(data)
  const list = async () => listSchema.parse(await world.operator(data, 'secrets', 'list'))
  const lost = (await list()).reduce((sum, one) => sum + one.lost, 0)
  check(lost > 0, 'something cannot be opened')
  await world.operator(data, 'secrets', 'renew', '--reason', 'the key was lost')
  const rtoMs = await visitors.backSince(lostMs, backMs)
  await world.startAgent('new').then((one) => one.online('new'))
  check(
    (await list()).every((one) => one.lost === 0),
    'all can be opened again',
  )
  return {
    lost: 'the key that seals, with a restart',
    rpo: 'nothing that cannot be made again',
    rtoMs,
    seen: `${lost} sealed texts were made anew; the same agent went on at the same address`,
  }
}
