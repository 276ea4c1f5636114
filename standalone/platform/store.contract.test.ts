/** Store on SQLite, in memory and in a file, through the suites that every store passes. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { queryTable } from '@porttunneler/shared/control/query-table'
import { describeAgentCertificates } from '@porttunneler/shared/testing/agent-certificates.contract'
import { describeAudit } from '@porttunneler/shared/testing/audit.contract'
import { describeBefore } from '@porttunneler/shared/testing/before.contract'
import { isWhole } from '@porttunneler/shared/testing/breadth'
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
import { afterAll } from 'vitest'
import { openSqliteStore } from './store.sqlite.ts'

const folder = mkdtempSync(join(tmpdir(), 'ptun-store-'))
afterAll(() => rmSync(folder, { recursive: true }))

const queries = [...queryTable, ...contractQueries, ...scopedQueries]
let files = 0
const inMemory = async () => openSqliteStore(':memory:', { queries })
const inFile = async () => openSqliteStore(join(folder, `${files++}.db`), { queries })

describeStore('sqlite in memory', inMemory)
describeStoreRaces('sqlite in memory', inMemory)
describeStore('sqlite in a file', inFile)
describeStoreRaces('sqlite in a file', inFile)
describeScopedStore('sqlite in memory', inMemory)
describeBefore('sqlite in memory', inMemory)
describeJobs('sqlite in memory', inMemory, { dueAtOnce: isWhole ? 10_000 : 2_000 })
describeAudit('sqlite in memory', inMemory)
describeDomains('sqlite in memory', inMemory)
describeWildcards('sqlite in memory', inMemory)
describeNames('sqlite in memory', inMemory)
describeReservations('sqlite in memory', inMemory)
describeTeam('sqlite in memory', inMemory)
describeViews('sqlite in memory', inMemory)
describePayers('sqlite in memory', inMemory)
describeClaims('sqlite in memory', inMemory, { agents: 100 })
describeClaims('sqlite in a file', inFile)
describeUsage('sqlite in memory', inMemory)
describeCertificates('sqlite in memory', inMemory)
describeAgentCertificates('sqlite in memory', inMemory)
describeWrongClock('sqlite in memory', inMemory)
describeFlags('sqlite in memory', inMemory)
describeInvites('sqlite in memory', inMemory)
