/** The machine is lost with its disk, and a backup that was made under visitors is restored on another. */
import { rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '@porttunneler/shared/base/clock'
import { z } from 'zod'
import { check, type DrillResult } from './drill.ts'
import { Visitors } from './visitors.ts'
import { killServer, openWorld } from './world.ts'

const reportSchema = z.object({ at: z.number(), documents: z.number() })
const backMs = 60_000

export async function loseServer(): Promise<DrillResult> {
  await using parts = new AsyncDisposableStack()
  const world = await openWorld(parts)
  const { server, folder } = world
  const agent = await world.startAgent('web')
  const url = await agent.online('web')
  const visitors = new Visitors(() => world.visit(url))
  parts.defer(() => visitors.close())
  await visitors.backSince(systemClock.monotonic(), backMs)

  const failedBefore = visitors.failed
  const file = join(folder, 'backup.age')
  const began = systemClock.monotonic()
  const backup = reportSchema.parse(await world.operator(server.folder, 'backup', 'create', file))
  const backupMs = systemClock.monotonic() - began
  check(visitors.failed === failedBefore, 'no visitor notices a backup')

  await killServer(server)
  rmSync(server.folder, { recursive: true })
  const lostMs = systemClock.monotonic()
  const ageMs = systemClock.now() - backup.at
  const again = join(folder, 'again')
  const restored = reportSchema.parse(await world.operator(again, 'backup', 'restore', file))
  check(restored.documents === backup.documents, 'every document is there')
  await world.start(again)
  const rtoMs = await visitors.backSince(lostMs, backMs)
  check((await agent.online('web')) === url, 'the address is the same')
  return {
    lost: 'the machine with its disk, standalone',
    rpo: `the age of the backup (here ${seconds(ageMs)})`,
    rtoMs,
    seen: `a backup of ${Math.ceil(statSync(file).size / 1024)} KiB took ${seconds(backupMs)} and no visitor noticed; the same agent went on at the same address, without being touched`,
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
