/** What the console asks about the service as an operator is what the shared client asks. */
import { makeClient } from '@porttunneler/shared/api/client'
import { expect, test } from 'vitest'
import { operatorServiceCalls } from './operator-service-calls.ts'
import type { Requests } from './requests.ts'

type Sent = { readonly method: string; readonly url: string; readonly body: unknown }

test('calls: about the service, as the shared client asks', async () => {
  const [ours, theirs]: [Sent[], Sent[]] = [[], []]
  const request = (async (method, url, { body } = {}) => {
    ours.push({ method, url, body })
  }) as Requests
  const calls = operatorServiceCalls(request)
  const client = makeClient({
    baseUrl: '',
    fetch: async (input, init) => {
      const text = init?.body ? await new Response(init.body as BodyInit).text() : ''
      theirs.push({
        method: init?.method ?? 'GET',
        url: String(input),
        body: text ? JSON.parse(text) : undefined,
      })
      return Response.json({})
    },
  })
  const cursor = 'c+/'
  const share = { percent: 5 }
  const one = { account: 'acc_1', value: 'on' } as const
  const pairs: readonly [() => Promise<unknown>, () => Promise<unknown>][] = [
    [() => calls.operatorCells('closed', cursor), () => client.operatorCells({ state: 'closed', cursor })],
    [() => calls.closeCell('a/b'), () => client.closeCell('a/b')],
    [() => calls.openCell('a/b'), () => client.openCell('a/b')],
    [() => calls.drainRelay('rel/1'), () => client.drainRelay('rel/1')],
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
    [() => calls.talkers('2026-01-31'), () => client.talkers({ day: '2026-01-31' })],
    [() => calls.talkers(), () => client.talkers()],
    [
      () => calls.securityEvents({ address: '::1' }, cursor),
      () => client.securityEvents({ address: '::1', cursor }),
    ],
    [() => calls.securityEvents({}), () => client.securityEvents()],
    [() => calls.dependencies(), () => client.dependencies()],
  ]
  for (const [our, their] of pairs) await Promise.allSettled([our(), their()])
  expect(ours).toHaveLength(pairs.length)
  expect(ours.map(normal)).toEqual(theirs.map(normal))
  expect(Object.keys(calls)).toHaveLength(
    new Set(pairs.map(([our]) => /calls\.(\w+)/.exec(`${our}`)?.[1])).size,
  )
})

/** The order of what a query says makes no difference. */
function normal({ method, url, body }: Sent) {
  const [path, query = ''] = url.split('?')
  return { method, path, query: [...new URLSearchParams(query)].toSorted(), body }
}
