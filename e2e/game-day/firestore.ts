/** Fresh databases of Firestore's emulator, one for each fault. */

import { openFirestoreStore } from '@porttunneler/functions/platform/store.firestore'
import { readDatabase } from '@porttunneler/functions/testing/copy-database'
import { startFirestore } from '@porttunneler/functions/testing/emulators'
import { systemClock } from '@porttunneler/shared/base/clock'
import { queryTable } from '@porttunneler/shared/control/query-table'
import type { Database } from './stage.ts'

export async function openFirestore() {
  // Google's client would look for a machine in the cloud.
  process.env.METADATA_SERVER_DETECTION = 'none'
  const emulator = await startFirestore(process.env)
  let count = 0
  return {
    async open(): Promise<Database> {
      count += 1
      const place = { project: `game-day-${count}`, emulatorHost: emulator.host }
      const shared = { queries: queryTable, clock: systemClock, random: Math.random }
      const store = openFirestoreStore({ projectId: place.project, emulatorHost: emulator.host, ...shared })
      return { store, documents: async () => documentsOf(await readDatabase(place, '(default)')) }
    },
    close: () => emulator.stop(),
  }
}

function documentsOf(copy: Awaited<ReturnType<typeof readDatabase>>) {
  return [...copy].map(([path, data]) => {
    const [collection = '', id = ''] = path.split('/')
    const ttl: number | null = data.ttl?.toMillis?.() ?? null
    return { collection, id, ttl, body: JSON.stringify(data) }
  })
}
