/** Webhooks of an account: added, changed, tried out, removed, and what was sent to them. */
import { randomBytes } from 'node:crypto'
import type { z } from 'zod'
import type { Delivery, Webhook, webhookChangeSchema, webhookWishSchema } from '../../api/schemas/webhooks.ts'
import { linkTo } from '../../base/console-pages.ts'
import { fail } from '../../base/errors.ts'
import { newId } from '../../base/ids.ts'
import { isPublicAddress } from '../../base/public-addresses.ts'
import { Secret } from '../../base/secret.ts'
import { byCaller, writeAudit } from '../audit.ts'
import type { Caller } from '../caller.ts'
import type { AccountControl } from '../control.ts'
import { kick } from '../jobs/kick.ts'
import type { Page, QueryOptions, Snapshot, Transaction } from '../platform.ts'
import { queries } from '../query-table.ts'
import { lookToDeliver, lookToSend } from './delivering.ts'
import type { Told } from './payloads.ts'
import {
  type DeliveryDoc,
  deliveries,
  type WebhookDoc,
  type WebhookFormat,
  webhooks,
} from './webhook-documents.ts'

/** A team needs one or two; each is a document of the transaction that tells of alerts. */
export const webhooksMax = 5
/** Long enough to put the new secret everywhere. */
const overlapMs = 24 * 3_600_000

type Shown = Snapshot<WebhookDoc>
export type WithSecret = { readonly webhook: Shown; readonly secret: Secret }

export async function listWebhooks(
  { store }: AccountControl,
  { account }: Caller,
): Promise<readonly Shown[]> {
  const found = await store.query(queries.webhooksOfAccount, { where: { account }, limit: webhooksMax })
  return found.items
}

/** @throws webhook.off, webhook.address, webhook.limit */
export async function addWebhook(
  control: AccountControl,
  caller: Caller,
  { url, format = formatOf(url) }: z.infer<typeof webhookWishSchema>,
): Promise<WithSecret> {
  requirePublic(control, url)
  const { account, actor } = caller
  const nowMs = control.clock.now()
  const secret = freshSecret()
  const wrapped = await control.vault.wrap(secret)
  const fresh: WebhookDoc = {
    ...{ account, url, format, state: 'active', secrets: [{ wrapped, untilMs: 0 }], by: actor },
    ...{ createdAt: nowMs, failingSince: 0, lastStatus: 0, lastAt: 0 },
  }
  const ref = webhooks.ref(newId('whk', nowMs))
  await control.store.transact(async (tx) => {
    const there = await tx.query(queries.webhooksOfAccount, { where: { account }, limit: webhooksMax })
    if (there.items.length >= webhooksMax) throw fail('webhook.limit')
    tx.create(ref, fresh)
    record(tx, caller, { action: 'webhook.added', id: ref.id, nowMs })
  })
  return { webhook: { ref, data: fresh, version: '' }, secret }
}

/** @throws api.not_found, webhook.address */
export async function changeWebhook(
  control: AccountControl,
  caller: Caller,
  {
    id,
    change: { url, format, on },
  }: { readonly id: string; readonly change: z.infer<typeof webhookChangeSchema> },
): Promise<Shown> {
  if (url !== undefined) requirePublic(control, url)
  return rewrite(control, caller, id, (before) => ({
    ...before,
    ...(url !== undefined && { url, format: formatOf(url) }),
    ...(format !== undefined && { format }),
    ...(on !== undefined && { state: on ? 'active' : 'disabled', failingSince: 0 }),
  }))
}

/** The secret before signs for one more day. @throws api.not_found */
export async function rotateWebhook(
  control: AccountControl,
  caller: Caller,
  id: string,
): Promise<WithSecret> {
  const secret = freshSecret()
  const wrapped = await control.vault.wrap(secret)
  const nowMs = control.clock.now()
  const webhook = await rewrite(control, caller, id, (before) => {
    const [newest] = before.secrets
    const former = newest ? [{ ...newest, untilMs: nowMs + overlapMs }] : []
    return { ...before, secrets: [{ wrapped, untilMs: 0 }, ...former] }
  })
  return { webhook, secret }
}

/** @throws api.not_found */
export async function removeWebhook(control: AccountControl, caller: Caller, id: string): Promise<void> {
  const nowMs = control.clock.now()
  await control.store.transact(async (tx) => {
    const before = await tx.get(webhooks.ref(id))
    if (!before) throw fail('api.not_found')
    tx.delete(before.ref)
    record(tx, caller, { action: 'webhook.removed', id, nowMs })
  })
}

/** Sends a made-up alert, which says so. @throws api.not_found, webhook.off */
export async function tryWebhook(control: AccountControl, caller: Caller, id: string): Promise<void> {
  const nowMs = control.clock.now()
  const url = linkTo(control.settings, 'alerts')
  const job = await control.store.transact(async (tx) => {
    const webhook = await tx.get(webhooks.ref(id))
    if (!webhook) throw fail('api.not_found')
    if (!control.post) throw fail('webhook.off')
    return (await lookToDeliver(tx, webhook, { told: [example(caller, nowMs)], nowMs, url }))()
  })
  await kick(control, [job])
}

function example({ account }: Caller, nowMs: number): Told {
  const words = { title: 'A test', name: 'no tunnel', cause: 'Somebody asked for this test in the console.' }
  const alert = { id: `alr_${'0'.repeat(26)}`, kind: 'test', subject: account, state: 'resolved' } as const
  return { account, news: 'ended', alert: { ...alert, ...words, unsteady: false, since: nowMs, last: nowMs } }
}

/** The newest first. @throws api.not_found */
export async function listDeliveries(
  { store }: AccountControl,
  { account }: Caller,
  {
    id,
    state,
    ...page
  }: Pick<QueryOptions, 'limit' | 'after'> & {
    readonly id: string
    readonly state?: DeliveryDoc['state'] | undefined
  },
): Promise<Page<DeliveryDoc>> {
  if (!(await store.get(webhooks.ref(id)))) throw fail('api.not_found')
  const where = { account, webhook: id }
  if (state === undefined) return store.query(queries.deliveriesOfWebhook, { where, ...page })
  return store.query(queries.deliveriesByState, { where: { ...where, state }, ...page })
}

/** Sends again what was given up. What waits or has arrived stays as it is. @throws api.not_found */
export async function replayDelivery(
  control: AccountControl,
  { webhook, delivery }: { readonly webhook: string; readonly delivery: string },
): Promise<Snapshot<DeliveryDoc>> {
  const nowMs = control.clock.now()
  const { found, jobs } = await control.store.transact(async (tx) => {
    const before = await tx.get(deliveries.ref(delivery))
    if (before?.data.webhook !== webhook) throw fail('api.not_found')
    if (before.data.state !== 'dead') return { found: before, jobs: [] }
    const ask = await lookToSend(tx, { account: before.data.account, id: delivery }, nowMs)
    const data: DeliveryDoc = { ...before.data, state: 'waiting', tries: 0, nextAt: nowMs }
    tx.set(before.ref, data)
    return { found: { ...before, data }, jobs: [ask()] }
  })
  await kick(control, jobs)
  return found
}

export function describeWebhook({ ref, data }: Shown): Webhook {
  const { url, format, state, createdAt, failingSince, lastStatus, lastAt, secrets } = data
  return {
    ...{ id: ref.id, url, format, state, createdAt, rotating: secrets.length > 1 },
    ...(failingSince > 0 && { failingSince }),
    ...(lastAt > 0 && { lastStatus, lastAt }),
  }
}

export function describeDelivery({ ref, data }: Snapshot<DeliveryDoc>): Delivery {
  const { type, state, tries, createdAt, lastAt, nextAt, status, reason } = data
  return {
    ...{ id: ref.id, type, state, tries, createdAt },
    ...(lastAt > 0 && { lastAt, status }),
    ...(nextAt > 0 && state === 'waiting' && { nextAt }),
    ...(reason !== '' && { reason }),
  }
}

/** Names are resolved when something is sent, and again with each try. @throws webhook.off, webhook.address */
function requirePublic({ post, isPrivatePost = false }: AccountControl, text: string): void {
  if (!post) throw fail('webhook.off')
  const { protocol, hostname, username, password } = new URL(text)
  const host = hostname.replace(/^\[|\]$/g, '')
  // The last label of a name begins with a letter; URLs write addresses in digits, whatever form they were given in.
  const isNamed =
    /\.[a-z][a-z0-9-]*\.?$/.test(host) && !/\.(?:internal|local|localhost|home\.arpa)\.?$/.test(host)
  if (protocol !== 'https:' || username !== '' || password !== '') throw fail('webhook.address')
  if (!isPrivatePost && !isNamed && !isPublicAddress(host)) throw fail('webhook.address')
}

function formatOf(url: string): WebhookFormat {
  const { hostname, pathname } = new URL(url)
  return hostname === 'hooks.slack.com' || pathname.endsWith('/slack') ? 'slack' : 'standard'
}

function freshSecret(): Secret {
  return new Secret(`whsec_${randomBytes(32).toString('base64')}`)
}

async function rewrite(
  { store, clock }: AccountControl,
  caller: Caller,
  id: string,
  next: (before: WebhookDoc) => WebhookDoc,
): Promise<Shown> {
  return store.transact(async (tx) => {
    const before = await tx.get(webhooks.ref(id))
    if (!before) throw fail('api.not_found')
    const data = next(before.data)
    tx.set(before.ref, data)
    record(tx, caller, { action: 'webhook.changed', id, nowMs: clock.now() })
    return { ...before, data }
  })
}

function record(
  tx: Transaction,
  caller: Caller,
  {
    action,
    id,
    nowMs,
  }: {
    readonly action: 'webhook.added' | 'webhook.changed' | 'webhook.removed'
    readonly id: string
    readonly nowMs: number
  },
): void {
  writeAudit(tx, { ...byCaller(caller), target: id, action }, nowMs)
}
