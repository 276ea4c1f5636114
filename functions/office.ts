/**
 * Lets ptunctl work on a project of Google Cloud: with the same domain as the functions and the caller's own rights
 * (application default credentials), or on emulators where their variables are set.
 */
import { type Order, runAct } from '@porttunneler/shared/control/operator/acts'
import { openCloud } from './cloud.ts'
import { makeLog } from './log.ts'
import { operatorToken } from './platform/operator-credentials.ts'
import { readSettings } from './settings.ts'

/** @param warn gets the domain's log, line by line */
export async function runInCloud(
  env: Readonly<Record<string, string | undefined>>,
  order: Order,
  warn: (line: string) => void,
): Promise<unknown> {
  // The one variable that only the console needs.
  const settings = readSettings({ FIREBASE_API_KEY: 'none', ...env })
  const log = makeLog(settings.environment.projectId, { write: warn })
  const cloud = openCloud(
    settings,
    log,
    settings.emulatedGoogle === undefined ? { accessToken: operatorToken } : {},
  )
  // Calls that were given up go on: whoever waits for their end keeps the operator waiting for nothing.
  const close = () =>
    cloud.close().catch((error: unknown) => log.warn({ error }, 'the connections to Google were not closed'))
  try {
    const result = await runAct(cloud, order)
    await close()
    return result
  } catch (error) {
    void close()
    throw error
  }
}
