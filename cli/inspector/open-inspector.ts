/** Makes the inspector of an agent and its server. Loaded only if the user has not switched it off. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '@porttunneler/shared/base/clock'
import { isFailure, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import { readWebhookRules } from '../http/webhooks/signatures.ts'
import { Inspector } from './inspector.ts'
import { type InspectorServer, serveInspector } from './server.ts'

export type OpenedInspector = { readonly inspector: Inspector; readonly server: InspectorServer }

/**
 * @param options port: undefined for the usual one, or the next that is free; webhooks: rules as PTUN_WEBHOOKS has them
 * @returns a failure if none of the usual ports is free: the agent goes on without
 * @throws inspector.port if the one that was asked for is not, cli.usage for rules that are not understood
 */
export async function openInspector(
  clock: Clock,
  { port, webhooks }: { readonly port: number | undefined; readonly webhooks: string | undefined },
): Promise<OpenedInspector | PortTunnelerError> {
  const inspector = new Inspector(clock, { webhooks: readWebhookRules(webhooks) })
  try {
    return { inspector, server: await serveInspector(inspector, { clock, port, folder: pageFolder() }) }
  } catch (error) {
    if (port === undefined && isFailure(error, 'inspector.port')) return error
    throw error
  }
}

/** In the package beside the bundle, in the repository where the console is built. */
function pageFolder(): string {
  const packed = join(import.meta.dirname, 'inspector')
  return existsSync(join(packed, 'index.html'))
    ? packed
    : join(import.meta.dirname, '../../web/inspector/dist')
}
