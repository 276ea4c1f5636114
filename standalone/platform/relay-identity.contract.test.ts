import { enrolledRelayIdentity } from '@porttunneler/shared/control/relay-enrolment'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { describeRelayIdentity } from '@porttunneler/shared/testing/relay-identity.contract'
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
