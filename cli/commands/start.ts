/** `ptun start`: all tunnels of ptun.yaml, or those named. */
import { chooseTunnels, configName, readConfig } from '../config.ts'
import type { Context } from '../context.ts'
import { serve } from './serve.ts'

export type StartOptions = { readonly config?: string; readonly takeover?: boolean; readonly qr?: boolean }

/** @throws config.*, and what serving throws */
export async function start(
  context: Context,
  names: readonly string[],
  { config = configName, takeover = false, qr = false }: StartOptions,
): Promise<number> {
  const { tunnels, proxy } = await readConfig(config, context.env)
  return serve({ ...context, proxy: () => proxy }, chooseTunnels({ tunnels }, names), { takeover, qr })
}
