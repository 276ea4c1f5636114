/** Erasure and export of a person, over Firestore. */
import { systemClock } from '@porttunneler/shared/base/clock'
import { queryTable } from '@porttunneler/shared/control/query-table'
import { describeTraces } from '@porttunneler/standalone/testing/traces.contract'
import { openFirestoreStore } from './platform/store.firestore.ts'
import { readDatabase } from './testing/copy-database.ts'
import { randomProject, withEmulators } from './testing/with-emulators.ts'

withEmulators(({ firestore }) => {
  describeTraces('firestore', async () => {
    const place = { project: randomProject(), emulatorHost: firestore }
    const shared = { queries: queryTable, clock: systemClock, random: Math.random }
    const store = openFirestoreStore({ projectId: place.project, emulatorHost: firestore, ...shared })
    return {
      store,
      documents: async () =>
        [...(await readDatabase(place, '(default)'))].map(([path, data]) => {
          const [collection = '', id = ''] = path.split('/')
          const ttl: number | null = data.ttl?.toMillis?.() ?? null
          return { collection, id, ttl, body: JSON.stringify(data) }
        }),
    }
  })
})
