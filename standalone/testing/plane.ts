/** A control plane on a data folder, as the smallest server has it. */
import { systemClock } from '@porttunneler/shared/base/clock'
import { silentLog } from '@porttunneler/shared/base/log'
import { type ControlPlane, openControlPlane } from '../control-plane.ts'
import type { openDataFolder } from '../data-folder.ts'

/** Registration is open, accounts get the plan `free`. The caller closes both. */
export function openPlane(folder: ReturnType<typeof openDataFolder>): ControlPlane {
  return openControlPlane({
    folder,
    consoleUrl: 'http://localhost',
    registration: 'open',
    plan: 'free',
    version: '0.0.0',
    clock: systemClock,
    random: Math.random,
    log: silentLog,
    proxies: [],
  })
}
