/** Store on Firestore's emulator, through the suites that every store passes; the domain's without their slow rules. */
import { systemClock } from '@porttunneler/shared/base/clock'
import { queryTable } from '@porttunneler/shared/control/query-table'
import { describeAgentCertificates } from '@porttunneler/shared/testing/agent-certificates.contract'
import { describeAudit } from '@porttunneler/shared/testing/audit.contract'
import { describeBefore } from '@porttunneler/shared/testing/before.contract'
import { ofSlowStores } from '@porttunneler/shared/testing/cases'
import { describeCertificates } from '@porttunneler/shared/testing/certificates.contract'
import { describeClaims } from '@porttunneler/shared/testing/claims.contract'
import { describeDomains } from '@porttunneler/shared/testing/domains.contract'
import { describeFlags } from '@porttunneler/shared/testing/flags.contract'
import { describeInvites } from '@porttunneler/shared/testing/invites.contract'
import { describeJobs } from '@porttunneler/shared/testing/jobs.contract'
import { describeNames } from '@porttunneler/shared/testing/names.contract'
import { describePayers } from '@porttunneler/shared/testing/payers.contract'
import { describeReservations } from '@porttunneler/shared/testing/reservations.contract'
import { describeScopedStore, scopedQueries } from '@porttunneler/shared/testing/scoped-store.contract'
import { contractQueries, describeStore } from '@porttunneler/shared/testing/store.contract'
import { describeStoreRaces } from '@porttunneler/shared/testing/store-races.contract'
import { describeTeam } from '@porttunneler/shared/testing/team.contract'
import { describeUsage } from '@porttunneler/shared/testing/usage.contract'
import { describeViews } from '@porttunneler/shared/testing/views.contract'
import { describeWildcards } from '@porttunneler/shared/testing/wildcards.contract'
import { describeWrongClock } from '@porttunneler/shared/testing/wrong-clock.contract'
import { randomProject, withEmulators } from '../testing/with-emulators.ts'
import { openFirestoreStore } from './store.firestore.ts'

const queries = [...queryTable, ...contractQueries, ...scopedQueries]

withEmulators(({ firestore }) => {
  const cases = ofSlowStores
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
  describeWrongClock('firestore', make, cases)
  describeBefore('firestore', make, cases)
  describeJobs('firestore', make, { dueAtOnce: cases === 'all' ? 1_000 : 200, cases })
  describeAudit('firestore', make, cases)
  describeDomains('firestore', make, cases)
  describeWildcards('firestore', make, cases)
  describeNames('firestore', make, cases)
  describeReservations('firestore', make, cases)
  describeTeam('firestore', make, cases)
  describeViews('firestore', make, cases)
  describePayers('firestore', make, cases)
  describeClaims('firestore', make, { agents: cases === 'all' ? 300 : 60 })
  describeCertificates('firestore', make, cases)
  describeAgentCertificates('firestore', make, cases)
  describeFlags('firestore', make, cases)
  describeInvites('firestore', make, cases)
})
