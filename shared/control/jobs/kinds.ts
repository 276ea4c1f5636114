/** Every kind of job there is, for the workers of both shells. */
import { answerReports } from '../abuse/deciding.ts'
import { tellOfReports, writeToOwners } from '../abuse/letters.ts'
import { checkTunnels } from '../alerts/checking.ts'
import { sendWebhooks } from '../alerts/delivering.ts'
import { measureTunnels } from '../alerts/measuring.ts'
import { lookAtService } from '../alerts/service-look.ts'
import { tellOfAlerts } from '../alerts/telling.ts'
import { exportAudit } from '../audit/export.ts'
import { sealAudit } from '../audit/sealer.ts'
import { writeTallies } from '../audit/tallies.ts'
import { countUsage } from '../books/count.ts'
import { countLate } from '../books/late.ts'
import { fillMonths } from '../books/months.ts'
import { findCertificates, keepCertificates } from '../certificates/ordering.ts'
import { closeAccounts } from '../closing.ts'
import { collectTunnels } from '../collecting.ts'
import type { Control } from '../control.ts'
import { recountQuotas, repairQuota } from '../counting.ts'
import { checkDomains } from '../domains/checking.ts'
import { tellOwners } from '../domains/letters.ts'
import { endEarlierKeys } from '../earlier-keys.ts'
import { eraseAccounts, findClosedAccounts } from '../erasing.ts'
import { remindOfRecovery } from '../factors/recovering.ts'
import { forgetRelays } from '../forgetting.ts'
import { expireKeys } from '../key-expiry.ts'
import { leaveAccounts } from '../leaving/accounts.ts'
import { leavePeople } from '../leaving/person-job.ts'
import { keepLimits } from '../limits.ts'
import { notifyPeople } from '../mail/notices.ts'
import { sendMails } from '../mail/sending.ts'
import { followCustomers } from '../money/following.ts'
import { settleEvents } from '../money/inbox.ts'
import { reportTransfer } from '../money/meters.ts'
import { reconcileBilling } from '../money/reconciling.ts'
import { makeFigures } from '../operator/figures.ts'
import { endViews } from '../operator/views.ts'
import { keepOwnRecords } from '../own-records.ts'
import { giveOwners } from '../ownerless-keys.ts'
import { keepProxyNetworks } from '../proxy-networks.ts'
import { keepHolds } from '../retention/holds.ts'
import { rotateKeys, sweepEndpoints } from '../schedule.ts'
import { tellTeam } from '../team/letters.ts'
import { tellOfTerms } from '../terms/news.ts'
import { unserve } from '../unserve.ts'
import { sendInvitations, takeWaiting } from '../wait-list.ts'
import type { JobKind } from './jobs.ts'
import { Worker } from './worker.ts'

function jobKinds(control: Control): readonly JobKind[] {
  return [
    closeAccounts(control),
    eraseAccounts(control),
    leaveAccounts(control),
    leavePeople(control),
    findClosedAccounts(control),
    forgetRelays(control),
    rotateKeys(control),
    sealAudit(control),
    exportAudit(control),
    sendMails(control),
    notifyPeople(control),
    sweepEndpoints(control),
    writeTallies(control),
    countUsage(control),
    countLate(control),
    fillMonths(control),
    unserve(control),
    endEarlierKeys(control),
    expireKeys(control),
    keepLimits(control),
    repairQuota(control),
    recountQuotas(control),
    collectTunnels(control),
    giveOwners(control),
    keepCertificates(control),
    findCertificates(control),
    checkDomains(control),
    tellOwners(control),
    tellTeam(control),
    writeToOwners(control),
    tellOfReports(control),
    answerReports(control),
    endViews(control),
    remindOfRecovery(control),
    keepOwnRecords(control),
    keepProxyNetworks(control),
    takeWaiting(control),
    sendInvitations(control),
    followCustomers(control),
    settleEvents(control),
    tellOfTerms(control),
    reportTransfer(control),
    reconcileBilling(control),
    makeFigures(control),
    keepHolds(control),
    checkTunnels(control),
    measureTunnels(control),
    tellOfAlerts(control),
    sendWebhooks(control),
    lookAtService(control),
  ]
}

/**
 * Makes a worker for every kind.
 * @param atOnce jobs that one process runs side by side
 * @param more kinds that only this shell has
 */
export function makeWorker(control: Control, atOnce: number, more: readonly JobKind[] = []): Worker {
  return new Worker({ control, kinds: [...jobKinds(control), ...more], atOnce })
}
