/** Store on Firestore's emulator, through the suites that every store passes. */
import { systemClock } from '@porttunneler/shared/base/clock'
import { queryTable } from '@porttunneler/shared/control/query-table'
import { describeAgentCertificates } from '@porttunneler/shared/testing/agent-certificates.contract'
import { describeAudit } from '@porttunneler/shared/testing/audit.contract'
import { describeBefore } from '@porttunneler/shared/testing/before.contract'
import { describeCertificates } from '@porttunneler/shared/testing/certificates.contract'
import { describeClaims } from '@porttunneler/shared/testing/claims.contract'
import { describeDomains } from '@porttunneler/shared/testing/domains.contract'
import { describeFlags } from '@porttunneler/shared/testing/flags.contract'
import { describeInvites } from '@porttunneler/shared/testing/invites.contract'
import { describeJobs } from '@porttunneler/shared/testing/jobs.contract'
import { describeNames } from '@porttunneler/shared/testing/names.contract'
import { describeReservations } from '@porttunneler/shared/testing/reservations.contract'
import { describeScopedStore, scopedQueries } from '@porttunneler/shared/testing/scoped-store.contract'
import { contractQueries, describeStore } from '@porttunneler/shared/testing/store.contract'
import { describeStoreRaces } from '@porttunneler/shared/testing/store-races.contract'
import { describeTeam } from '@porttunneler/shared/testing/team.contract'
import { describeUsage } from '@porttunneler/shared/testing/usage.contract'
import { describeWildcards } from '@porttunneler/shared/testing/wildcards.contract'
import { describeWrongClock } from '@porttunneler/shared/testing/wrong-clock.contract'
import { randomProject, withEmulators } from '../testing/with-emulators.ts'
import { openFirestoreStore } from './store.firestore.ts'

const queries = [...queryTable, ...contractQueries, ...scopedQueries]

withEmulators(({ firestore }) => {
  const make = async () =>
    openFirestoreStore({
      projectId: randomProject(),
      emulatorHost: firestore,
      queries,
      clock: systemClock,
      random: Math.random,
    })
  describeStore('firestore', make)
  describeStoreRaces('firestore', make)
  describeScopedStore('firestore', make)
  describeUsage('firestore', make)
  describeWrongClock('firestore', make)
  describeBefore('firestore', make)
  describeJobs('firestore', make, { dueAtOnce: 1_000 })
  describeAudit('firestore', make)
  describeDomains('firestore', make)
  describeWildcards('firestore', make)
  describeNames('firestore', make)
  describeReservations('firestore', make)
  describeTeam('firestore', make)
  describeClaims('firestore', make)
  describeCertificates('firestore', make)
  describeAgentCertificates('firestore', make)
  describeFlags('firestore', make)
  describeInvites('firestore', make)
})
