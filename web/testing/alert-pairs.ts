/** The console's calls about alerts and webhooks, each beside the one of the shared client that asks the same. */
import type { Client } from '@porttunneler/shared/api/client'
import type { Calls } from '../api/calls.ts'

type Pair = [ours: () => Promise<unknown>, theirs: () => Promise<unknown>]

export function alertPairs(calls: Calls, client: Client): Pair[] {
  const cursor = 'c+/'
  const rules = { items: [{ kind: 'tunnel.down' as const, on: false }] }
  const window = { from: 1, until: 2, note: 'move' }
  const wish = { url: 'https://hooks.example.com/a', format: 'standard' } as const
  return [
    [() => calls.alertCount(), () => client.alertCount()],
    [() => calls.alert('alr/1'), () => client.alert('alr/1')],
    [() => calls.alertRules(), () => client.alertRules()],
    [() => calls.setAlertRules(rules, 3), () => client.setAlertRules(rules, { ifMatch: '"3"' })],
    [() => calls.maintenance(), () => client.maintenance()],
    [() => calls.addMaintenance(window), () => client.addMaintenance(window)],
    [() => calls.removeMaintenance('mnt/1'), () => client.removeMaintenance('mnt/1')],
    [() => calls.webhooks(), () => client.webhooks()],
    [() => calls.addWebhook(wish), () => client.addWebhook(wish)],
    [() => calls.changeWebhook('whk/1', { on: true }), () => client.changeWebhook('whk/1', { on: true })],
    [() => calls.rotateWebhookSecret('whk/1'), () => client.rotateWebhookSecret('whk/1')],
    [() => calls.removeWebhook('whk/1'), () => client.removeWebhook('whk/1')],
    [() => calls.testWebhook('whk/1'), () => client.testWebhook('whk/1')],
    [
      () => calls.deliveries('whk/1', { state: 'dead', cursor }),
      () => client.deliveries('whk/1', { state: 'dead', cursor }),
    ],
    [() => calls.replayDelivery('whk/1', 'dlv/1'), () => client.replayDelivery('whk/1', 'dlv/1')],
  ]
}
