/** The console's calls about the service, each beside the one of the shared client that asks the same. */
import type { Client } from '@porttunneler/shared/api/client'
import type { Calls } from '../api/calls.ts'

type Pair = [ours: () => Promise<unknown>, theirs: () => Promise<unknown>]

export function operatorServicePairs(calls: Calls, client: Client): Pair[] {
  const cursor = 'c+/'
  const because = { reason: 'phishing' }
  const decided = { decision: 'warned', ...because } as const
  const share = { percent: 5 }
  const one = { account: 'acc_1', value: 'on' } as const
  const hold = { about: 'acc_1', until: 1, reason: 'why' }
  return [
    [() => calls.operatorCells('closed', cursor), () => client.operatorCells({ state: 'closed', cursor })],
    [() => calls.closeCell('a/b'), () => client.closeCell('a/b')],
    [() => calls.openCell('a/b'), () => client.openCell('a/b')],
    [() => calls.drainRelay('rel/1'), () => client.drainRelay('rel/1')],
    [() => calls.serviceAlerts('firing', cursor), () => client.serviceAlerts({ state: 'firing', cursor })],
    [
      () => calls.actOnServiceAlert('alr/1', { act: 'acknowledge' }),
      () => client.actOnServiceAlert('alr/1', { act: 'acknowledge' }),
    ],
    [() => calls.jobs('dead', cursor), () => client.jobs({ state: 'dead', cursor })],
    [() => calls.retryJob('mail.send:a/b'), () => client.retryJob('mail.send:a/b')],
    [() => calls.dropJob('mail.send:a/b'), () => client.dropJob('mail.send:a/b')],
    [() => calls.flags(), () => client.flags()],
    [() => calls.shareFlag('a/b', share), () => client.shareFlag('a/b', share)],
    [() => calls.setFlagOfAccount('a/b', one), () => client.setFlagOfAccount('a/b', one)],
    [() => calls.killFlag('a/b', { reason: 'why' }), () => client.killFlag('a/b', { reason: 'why' })],
    [() => calls.reviveFlag('a/b'), () => client.reviveFlag('a/b')],
    [() => calls.invites(cursor), () => client.invites({ cursor })],
    [() => calls.createInvite({ places: 2 }), () => client.createInvite({ places: 2 })],
    [() => calls.revokeInvite('inv/1'), () => client.revokeInvite('inv/1')],
    [() => calls.waiting('came', cursor), () => client.waiting({ state: 'came', cursor })],
    [() => calls.inviteWaiting({ count: 3 }), () => client.inviteWaiting({ count: 3 })],
    [() => calls.revenue(), () => client.revenue()],
    [() => calls.activity(), () => client.activity()],
    [() => calls.talkers('2026-01-31'), () => client.talkers({ day: '2026-01-31' })],
    [
      () => calls.securityEvents({ address: '::1' }, cursor),
      () => client.securityEvents({ address: '::1', cursor }),
    ],
    [
      () => calls.logs('code:PT-5108 a&b', { cursor, from: 5 }),
      () => client.logs({ query: 'code:PT-5108 a&b', cursor, from: 5 }),
    ],
    [() => calls.dependencies(), () => client.dependencies()],
    [() => calls.retention(), () => client.retention()],
    [() => calls.holds(), () => client.holds()],
    [() => calls.placeHold(hold), () => client.placeHold(hold)],
    [
      () => calls.releaseHold('acc/1', { reason: 'why' }),
      () => client.releaseHold('acc/1', { reason: 'why' }),
    ],
    [() => calls.complianceReport({ from: 1, to: 2 }), () => client.complianceReport({ from: 1, to: 2 })],
    [() => calls.findTunnelAt('a b:1'), () => client.findTunnelAt('a b:1')],
    [() => calls.takeTunnelDown('tun/1', because), () => client.takeTunnelDown('tun/1', because)],
    [() => calls.restoreTunnel('tun/1'), () => client.restoreTunnel('tun/1')],
    [() => calls.reports({ state: 'warned' }, cursor), () => client.reports({ state: 'warned', cursor })],
    [() => calls.report('rep/1'), () => client.report('rep/1')],
    [() => calls.decideReport('rep/1', decided), () => client.decideReport('rep/1', decided)],
    [() => calls.takedowns(cursor), () => client.takedowns({ cursor })],
  ]
}
