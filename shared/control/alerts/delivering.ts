/**
 * The job that sends one delivery, again and again for a day, then gives it up: it stays in the list of its webhook,
 * from where a person can have it sent again. A webhook that takes nothing for five days is disabled, and its people
 * are told.
 */
import { codes, isFailure } from '../../base/errors.ts'
import { newId } from '../../base/ids.ts'
import type { Control } from '../control.ts'
import { type JobKind, look, type RunningJob } from '../jobs/jobs.ts'
import type { Snapshot, Transaction } from '../platform.ts'
import { bodyOf, signedHeaders, type Told } from './payloads.ts'
import { lookToRaise, lookToSettle } from './raising.ts'
import { type DeliveryDoc, deliveries, type WebhookDoc, webhooks } from './webhook-documents.ts'

const secondMs = 1_000
const minuteMs = 60 * secondMs
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
/** Pauses before the next tries: a restart, a deployment, an outage, a night. Together a day. */
const pausesMs = [5 * secondMs, 2 * minuteMs, 15 * minuteMs, hourMs, 3 * hourMs, 7 * hourMs, 12 * hourMs]
const waitsMs = 12 * hourMs
const disableAfterMs = 5 * dayMs
const keptMs = 30 * dayMs
const reasonMax = 300

/**
 * Leaves a delivery for a webhook. Reads, so call it before the first write; the returned function writes, and returns
 * the job to kick.
 */
export async function lookToDeliver(
  tx: Transaction,
  { ref, data }: Snapshot<WebhookDoc>,
  { told, nowMs, url }: { readonly told: readonly Told[]; readonly nowMs: number; readonly url: string },
): Promise<() => string> {
  const id = newId('dlv', nowMs)
  const { account, format } = data
  const ask = await lookToSend(tx, { account, id }, nowMs)
  const fresh: DeliveryDoc = {
    ...{ account, webhook: ref.id, type: 'alerts.changed', body: bodyOf(format, { told, at: nowMs, url }) },
    ...{ state: 'waiting', tries: 0, createdAt: nowMs, lastAt: 0, nextAt: nowMs, status: 0, reason: '' },
    ttl: new Date(nowMs + keptMs),
  }
  return () => {
    tx.create(deliveries.ref(id), fresh)
    return ask()
  }
}

export function lookToSend(
  tx: Transaction,
  { account, id }: { readonly account: string; readonly id: string },
  nowMs: number,
): Promise<() => string> {
  return look(tx, { kind: 'webhook.send', subject: id, account }, nowMs)
}

export function sendWebhooks(control: Control): JobKind {
  return { name: 'webhook.send', attemptsMax: 50, waitsMs, run: (job) => send(control, job) }
}

async function send(control: Control, job: RunningJob): Promise<void> {
  const { store, clock, post } = control
  const delivery = await store.get(deliveries.ref(job.subject))
  const webhook = delivery && (await store.get(webhooks.ref(delivery.data.webhook)))
  if (delivery?.data.state !== 'waiting' || !webhook || !post) return
  if (webhook.data.state === 'disabled')
    return job.finish((tx) =>
      settle(tx, {
        delivery,
        webhook,
        status: 0,
        reason: 'It is disabled.',
        isLast: true,
        nowMs: clock.now(),
      }),
    )
  const { status, reason } = await attempt(control, job, { delivery, webhook })
  const isTaken = isTakenBy(status)
  const pauseMs = pausesMs[delivery.data.tries]
  const nowMs = clock.now()
  // Gone is what a receiver says that wants nothing more.
  const isLast = isTaken || pauseMs === undefined || status === 410
  const effect = (tx: Transaction) =>
    settle(tx, { delivery, webhook, status, reason, isLast, nowMs, pauseMs })
  if (isLast) return job.finish(effect)
  await job.advance({}, effect)
  await job.pause({}, nowMs + pauseMs)
}

/** Any answer of success takes the delivery (Standard Webhooks). */
function isTakenBy(status: number): boolean {
  return status >= 200 && status < 300
}

type Tried = { readonly status: number; readonly reason: string }

async function attempt(
  { vault, clock, post }: Control,
  job: RunningJob,
  { delivery, webhook }: { readonly delivery: Snapshot<DeliveryDoc>; readonly webhook: Snapshot<WebhookDoc> },
): Promise<Tried> {
  const nowMs = clock.now()
  const valid = webhook.data.secrets.filter(({ untilMs }) => untilMs === 0 || untilMs > nowMs)
  const secrets = await Promise.all(valid.map(({ wrapped }) => vault.unwrap(wrapped)))
  const { body } = delivery.data
  const headers = signedHeaders(secrets, { id: delivery.ref.id, at: nowMs, body })
  try {
    const answer = await post?.({ url: webhook.data.url, headers, body }, job.signal)
    const status = answer?.status ?? 0
    const isTaken = isTakenBy(status)
    return {
      status,
      reason: isTaken ? '' : `It answered ${status}. ${answer?.text ?? ''}`.slice(0, reasonMax),
    }
  } catch (error) {
    job.signal.throwIfAborted()
    if (!isFailure(error, 'webhook.failed') && !isFailure(error, 'webhook.address')) throw error
    return { status: 0, reason: (error.detail ?? error.entry.title).slice(0, reasonMax) }
  }
}

type Settled = Tried & {
  readonly delivery: Snapshot<DeliveryDoc>
  readonly webhook: Snapshot<WebhookDoc>
  readonly isLast: boolean
  readonly nowMs: number
  readonly pauseMs?: number | undefined
}

async function settle(
  tx: Transaction,
  { delivery, webhook, status, reason, isLast, nowMs, pauseMs = 0 }: Settled,
): Promise<void> {
  const isTaken = isTakenBy(status)
  const [latest, hook] = [await tx.get(delivery.ref), await tx.get(webhook.ref)]
  const failingSince = isTaken ? 0 : hook?.data.failingSince || nowMs
  const isOut = hook?.data.state === 'active' && !isTaken && nowMs - failingSince >= disableAfterMs
  const alert = hook && (await lookToAlert(tx, hook, { isTaken, isOut, nowMs, reason }))
  if (latest)
    tx.set(latest.ref, {
      ...latest.data,
      state: isTaken ? 'delivered' : isLast ? 'dead' : 'waiting',
      tries: latest.data.tries + 1,
      lastAt: nowMs,
      nextAt: isLast ? 0 : nowMs + pauseMs,
      status,
      reason,
    })
  if (!hook) return
  const state = isOut || status === 410 ? 'disabled' : hook.data.state
  tx.set(hook.ref, { ...hook.data, state, failingSince, lastStatus: status, lastAt: nowMs })
  alert?.()
}

async function lookToAlert(
  tx: Transaction,
  { ref, data }: Snapshot<WebhookDoc>,
  { isTaken, isOut, nowMs, reason }: { isTaken: boolean; isOut: boolean; nowMs: number; reason: string },
): Promise<(() => unknown) | undefined> {
  const key = { account: data.account, kind: 'webhook.failing', subject: ref.id } as const
  if (isTaken) return data.failingSince > 0 ? lookToSettle(tx, key, nowMs) : undefined
  if (!isOut) return undefined
  const { cause, cure, code } = codes['webhook.failed']
  const trouble = {
    since: data.failingSince,
    name: new URL(data.url).host,
    cause: `${cause} ${reason}`,
    cure,
    code,
  }
  return lookToRaise(tx, key, { trouble, nowMs })
}
