import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { describeRelayIdentity } from '@porttunneler/shared/testing/relay-identity.contract'
import { enrolledRelayIdentity } from './relay-identity.enrolled.ts'
import { openSqliteStore } from './store.sqlite.ts'

describeRelayIdentity('enrolled', async () => {
  const store = openSqliteStore(':memory:', { queries: [] })
  const identity = enrolledRelayIdentity({ store, clock: new FakeClock() })
  return {
    identity,
    admit: async (cell) => (await identity.enrol(await identity.makeKey(cell), 'relay')).credential,
    withdraw: async (token) => identity.revoke((await identity.verify(token)).relay),
    close: () => store.close(),
  }
})
