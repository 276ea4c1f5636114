/** `ptun start`: all tunnels of ptun.yaml, or those named. */
import { resolve } from 'node:path'
import { chooseTunnels, configName, readConfig } from '../config.ts'
import { fingerprint } from '../config-watch.ts'
import type { Context } from '../context.ts'
import { type InspectFlag, inspectWish } from './inspect.ts'
import type { TunnelSource } from './reload.ts'
import { serve } from './serve.ts'

export type StartOptions = {
  readonly config?: string
  readonly cell?: string
  readonly takeover?: boolean
  readonly qr?: boolean
  readonly inspect?: InspectFlag
}

/** @throws config.*, and errors of serving */
export async function start(
  context: Context,
  names: readonly string[],
  { config = configName, cell: named, takeover = false, qr = false, inspect: flag }: StartOptions,
): Promise<number> {
  const seen = await fingerprint(config)
  let { tunnels, proxy, cell, inspect } = await readConfig(config, context.env)
  // Behind the first reading, which says what is wrong where the working folder itself is gone.
  const path = resolve(config)
  const source: TunnelSource = {
    path,
    seen,
    read: async () => {
      const next = await readConfig(config, context.env)
      const accept = () => {
        proxy = next.proxy
        cell = next.cell
      }
      return { tunnels: chooseTunnels(next, names), accept }
    },
  }
  const wanted = chooseTunnels({ tunnels }, names)
  return serve({ ...context, proxy: () => proxy }, wanted, {
    takeover,
    qr,
    source,
    inspect: inspectWish(context.env, { flag, file: inspect }),
    cell: () => named ?? cell,
  })
}
