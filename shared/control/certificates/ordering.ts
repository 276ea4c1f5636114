/**
 * The job of one certificate: orders it, renews it for ever, and waits in between. There is one job a host (jobs.ts),
 * so no two processes order the same. Key and order are saved before the issuer is told to check, so after a crash the
 * next worker goes on with the same order. Rules: `names.md` 1 and docs/decisions/0063-certificates.md.
 */
import { z } from 'zod'
import { sleep } from '../../base/clock.ts'
import { certificateRequest } from '../../base/csr.ts'
import { codes, fail, type PortTunnelerError } from '../../base/errors.ts'
import { lookToRaiseCertificate, lookToSettleCertificate } from '../alerts/certificates.ts'
import { type CertificateDoc, certificates, noCertificate, withoutChain } from '../certificate-documents.ts'
import { makeCommand, publishCommands, writeCommand } from '../commands.ts'
import type { Control } from '../control.ts'
import type { JobDoc } from '../documents.ts'
import { asFailure } from '../failures.ts'
import { freshJob, type JobKind, jobRef, look, type RunningJob } from '../jobs/jobs.ts'
import { kick } from '../jobs/kick.ts'
import type { Ref, Transaction } from '../platform.ts'
import { isAccountHeld } from '../retention/held.ts'
import { acmeKey } from './account-key.ts'
import { requireNoAgent } from './agent-hosts.ts'
import { beginOrder } from './begin.ts'
import { countFailure, refund } from './budget.ts'
import { readChain } from './chain.ts'
import { prove, tidyProofs } from './proving.ts'
import type { Issuer, IssuerAccount, Order } from './role.ts'
import { ariAskTime, isAlarming, isOfFormerAuthority, renewalTime, retryMs, windowTime } from './rules.ts'
import { namesOfCells, type Wanted, wantedCertificate } from './wanted.ts'

const kind = 'certificates.keep'
const dayMs = 86_400_000
/** The longest life that any issuer gives, with a margin. */
const waitsMs = 400 * dayMs
/** How long a try waits for the issuer before other jobs get the worker. */
const patienceMs = 45_000
/** Most issuers have checked by then; later their own pause applies. */
const firstPollMs = 500
const pollMs = 2_000
const pollMaxMs = 15_000
const restMs = 30_000
/** Proofs, and the request for the certificate; each may have to be sent twice. */
const changesMax = 4
/** How long the order for an agent may fail before it is dropped. */
const agentWaitsMs = 7 * dayMs
/** How often a silent issuer is asked again for the same order. */
const downsMax = 5

const orderSchema = z.object({
  issuer: z.string(),
  account: z.string(),
  url: z.string(),
  wrappedKey: z.string(),
  hosts: z.array(z.string()),
  /** The name for the proof to which the host's owner leads us; '' = they do not. */
  delegated: z.string().default(''),
  /** TXT records that were made for it. */
  records: z.array(z.object({ name: z.string(), value: z.string() })),
  /** Challenges that the issuer was told to check. */
  told: z.array(z.string()),
  since: z.number(),
  downs: z.int(),
  /** What it took from the budget. */
  paid: z.enum(['new', 'renewal', 'nothing']),
})
export type OpenOrder = z.infer<typeof orderSchema>
const progressSchema = z.object({ order: orderSchema })

export function keepCertificates(control: Control): JobKind {
  return { name: kind, attemptsMax: 1_000, waitsMs, run: (job) => run(control, job) }
}

/**
 * Makes sure that there is a job for each cell's own names; jobs for tunnels' names come with the first relay that
 * asks.
 */
export function findCertificates(control: Control): JobKind {
  const run = async () => {
    if (control.certificates.issuers.length === 0) return
    for (const name of await namesOfCells(control)) await ensureCertificate(control, name)
  }
  return { name: 'certificates.find', attemptsMax: Number.MAX_SAFE_INTEGER, everyMs: 15 * 60_000, run }
}

/** The job of a host's certificate; there is none before it was wanted. */
export function certificateJob(host: string): Ref<JobDoc> {
  return jobRef(kind, host)
}

/** Has it ordered, unless it is or was. */
export async function ensureCertificate(control: Control, id: string): Promise<void> {
  const ref = certificateJob(id)
  const isNew = await control.store.transact(async (tx) => {
    if (await tx.get(ref)) return false
    tx.create(ref, freshJob({ kind, subject: id, account: '' }, control.clock.now()))
    return true
  })
  if (isNew) await kick(control, [ref.id])
}

/** Has it ordered now, also where it is there. */
export async function orderAgain(control: Control, id: string): Promise<void> {
  const write = (tx: Transaction) => orderNow(tx, id, control.clock.now())
  await kick(control, [await control.store.transact(async (tx) => (await write(tx))())])
}

/** Orders at an operator's wish, without waiting for the time of renewal. A case of `look`. */
export function orderNow(tx: Transaction, host: string, nowMs: number): Promise<() => string> {
  return look(tx, { kind, subject: host, account: '' }, nowMs)
}

/** The context of one try. */
export type Try = {
  readonly control: Control
  readonly job: RunningJob
  readonly wanted: Wanted
  readonly doc: CertificateDoc
}

async function run(control: Control, job: RunningJob): Promise<void> {
  const id = job.subject
  const [wanted, found] = await Promise.all([
    wantedCertificate(control, id),
    control.store.get(certificates.ref(id)),
  ])
  const nowMs = control.clock.now()
  const open = progressSchema.safeParse(job.progress)
  let order = open.success ? open.data.order : undefined
  if (!wanted || control.certificates.issuers.length === 0) {
    if (order) await giveUp({ control, job }, order)
    return retire({ control, job }, found?.data, nowMs)
  }
  const doc = found?.data ?? noCertificate(wanted.account, wanted.hosts)
  if (wanted.ofAgent && isOver(doc, nowMs)) {
    if (order) await giveUp({ control, job }, order)
    return retire({ control, job }, doc, nowMs)
  }
  const here: Try = { control, job, wanted, doc }
  try {
    if (!order) {
      const dueAt = await dueTime(here)
      if (dueAt > control.clock.now()) return await job.pause({}, dueAt)
    }
    await requireNoAgent(control, id)
    order ??= await beginOrder(here)
    await carryOn(here, order)
  } catch (thrown) {
    const error = asFailure(thrown)
    if (!error.key.startsWith('certificate.')) throw thrown
    await recordFailure(here, order, error)
  }
}

/** Nobody may ask for it any more; it stays while it is valid, for a name that comes back, and on a legal hold. */
async function retire(
  { control, job }: Pick<Try, 'control' | 'job'>,
  doc: CertificateDoc | undefined,
  nowMs: number,
): Promise<void> {
  if (doc && doc.notAfter > nowMs) return job.pause({}, Math.min(doc.notAfter, nowMs + dayMs))
  if (doc && (await isAccountHeld(control.store, doc.account, nowMs))) return job.pause({}, nowMs + dayMs)
  return job.finish(async (tx) => tx.delete(certificates.ref(job.subject)))
}

/** Whether an agent's certificate has expired, or cannot be had: an agent that still wants one asks again. */
function isOver({ version, notAfter, requestedAt = 0 }: CertificateDoc, nowMs: number): boolean {
  return version > 0 ? notAfter <= nowMs : Math.abs(nowMs - requestedAt) > agentWaitsMs
}

/** When it is to be ordered, 0 = at once: by ARI if the issuer offers it, which this asks. */
async function dueTime({ control, job, wanted, doc }: Try): Promise<number> {
  const nowMs = control.clock.now()
  const isOther = [...wanted.hosts].toSorted().join() !== [...doc.hosts].toSorted().join()
  if (doc.version === 0 || isOther || doc.failures > 0 || isOfFormerAuthority(control, doc)) return 0
  // Its agent renews it, with another key; until then it is told when.
  const isLate = wanted.ofAgent !== undefined && doc.renewAt <= nowMs
  if (isLate) return doc.notAfter
  const endsAt = wanted.ofAgent ? doc.notAfter : doc.renewAt
  const issuer = control.certificates.issuers.find(({ name }) => name === doc.issuer)
  if (doc.ariId === '' || !issuer) return endsAt
  if (nowMs < doc.ariAskAt) return Math.min(endsAt, doc.ariAskAt)
  const fields = await askRenewal(control, { doc, issuer, signal: job.signal })
  await job.advance({}, async (tx) => tx.update(certificates.ref(job.subject), fields))
  const renewAt = wanted.ofAgent ? doc.notAfter : (fields.renewAt ?? doc.renewAt)
  return Math.min(renewAt, fields.ariAskAt ?? renewAt)
}

async function askRenewal(
  { clock, random, log }: Control,
  { doc, issuer, signal }: { doc: CertificateDoc; issuer: Issuer; signal: AbortSignal },
): Promise<Partial<CertificateDoc>> {
  const nowMs = clock.now()
  try {
    const window = await issuer.renewalWindow(doc.ariId, signal)
    if (!window) return { ariId: '' }
    const ariAskAt = ariAskTime(nowMs, window?.retryAfterMs)
    if (window.start === doc.ariStart && window.end === doc.ariEnd) return { ariAskAt }
    const renewAt = windowTime(window, doc, { nowMs, random })
    return { ariAskAt, renewAt, ariStart: window.start, ariEnd: window.end }
  } catch (error) {
    signal.throwIfAborted()
    log.info({ error, issuer: issuer.name }, 'the time of renewal was not told; what was known counts')
    return { ariAskAt: ariAskTime(nowMs) }
  }
}

/** Takes the order from its present state to the certificate, or pauses, to look again later. */
async function carryOn(here: Try, begun: OpenOrder): Promise<void> {
  const { control, job } = here
  const { clock, certificates: role } = control
  const issuer = role.issuers.find(({ name }) => name === begun.issuer)
  if (!issuer) throw fail('certificate.refused', `${begun.issuer} is no longer among the authorities.`)
  const account: IssuerAccount = { url: begun.account, key: await acmeKey(control) }
  const until = clock.monotonic() + patienceMs
  let open = begun
  let changes = 0
  for (let waitMs = firstPollMs; ; ) {
    const order = await issuer.readOrder(account, open.url, job.signal)
    const after = await step(here, { issuer, account, open, order })
    if (after === 'done') return
    if (Math.abs(clock.now() - open.since) > dayMs)
      throw fail('certificate.slow', `${issuer.name} was asked a day ago.`)
    if (after) {
      open = after
      // An issuer that wants the same step again and again gets it at the pace of one that is slow.
      if (++changes <= changesMax) {
        waitMs = firstPollMs
        continue
      }
    }
    if (clock.monotonic() >= until) return job.pause({ order: open }, clock.now() + restMs)
    await sleep(clock, waitMs, job.signal)
    waitMs = Math.min(pollMaxMs, order.retryAfterMs ?? Math.max(pollMs, waitMs * 1.5))
    await job.advance({ order: open })
  }
}

type At = {
  readonly issuer: Issuer
  readonly account: IssuerAccount
  readonly open: OpenOrder
  readonly order: Order
}

/** @returns the changed order, to be looked at again at once; undefined when the issuer needs time */
async function step(here: Try, at: At): Promise<OpenOrder | 'done' | undefined> {
  const { control, job, wanted } = here
  const { issuer, account, open, order } = at
  switch (order.status) {
    case 'pending':
      return prove(here, at)
    case 'ready': {
      const csr =
        wanted.ofAgent?.csr ?? certificateRequest(await control.vault.unwrap(open.wrappedKey), open.hosts)
      await issuer.finalize(account, order, csr, job.signal)
      return open
    }
    case 'processing':
      return undefined
    case 'invalid':
      throw fail('certificate.validation', order.reason ?? `${issuer.name} gives no reason.`)
    case 'valid':
      await saveCertificate(here, at)
      return 'done'
  }
}

async function saveCertificate(here: Try, { issuer, account, open, order }: At): Promise<void> {
  const { control, job, wanted, doc } = here
  if (order.certificate === undefined) throw fail('certificate.refused', 'The order is valid, but empty.')
  const text = await issuer.download(account, order.certificate, job.signal)
  const key = wanted.ofAgent?.csr ?? (await control.vault.unwrap(open.wrappedKey))
  const nowMs = control.clock.now()
  const { ariId = '', chain, ...life } = readChain(text, { key, hosts: open.hosts, nowMs })
  const renewAt = renewalTime(life, control.random)
  const saved: CertificateDoc = {
    ...withoutChain(doc, { account: wanted.account, hosts: open.hosts }),
    ...{
      state: 'valid',
      version: Math.max(doc.version + 1, Math.floor(nowMs)),
      chain,
      wrappedKey: open.wrappedKey,
    },
    ...{ issuer: issuer.name, ...life, renewAt, ariId, ariAskAt: nowMs, triedAt: nowMs },
  }
  await tidyProofs(here, open)
  const news = { kind: 'certificate', host: job.subject, version: saved.version } as const
  const outgoing = wanted.cells.map((cell) => makeCommand(cell, news, nowMs))
  await job.advance({}, async (tx) => {
    ;(await lookToSettleCertificate(tx, saved, { host: job.subject, nowMs }))()
    tx.set(certificates.ref(job.subject), saved)
    for (const command of outgoing) writeCommand(tx, command)
  })
  await publishCommands(control, outgoing)
  control.log.info(
    { host: job.subject, issuer: issuer.name, notAfter: new Date(life.notAfter).toISOString() },
    'a certificate was issued',
  )
  await job.pause({}, ariId === '' && !wanted.ofAgent ? renewAt : nowMs)
}

async function giveUp(
  here: Pick<Try, 'control' | 'job'>,
  order: OpenOrder,
  error?: PortTunnelerError,
): Promise<void> {
  const { control } = here
  await tidyProofs(here, order)
  const issuer = control.certificates.issuers.find(({ name }) => name === order.issuer)
  const { hosts, paid } = order
  if (issuer && error?.key === 'certificate.validation') await countFailure(control, issuer, hosts)
  if (issuer && paid !== 'nothing') await refund(control, issuer, { hosts, isRenewal: paid === 'renewal' })
}

/** The present certificate stays in use; the next try is later. */
async function recordFailure(
  here: Try,
  order: OpenOrder | undefined,
  error: PortTunnelerError,
): Promise<void> {
  const { control, job, wanted, doc } = here
  const { clock, random, log } = control
  const nowMs = clock.now()
  const isDown = error.key === 'certificate.issuer_down' && order !== undefined && order.downs < downsMax
  const failing: CertificateDoc = {
    ...(doc.version > 0 ? doc : withoutChain(doc, wanted)),
    ...{ state: 'failing', failures: doc.failures + 1, error: error.code, reason: error.detail },
    triedAt: nowMs,
  }
  const wishedMs = Number(error.fields.retryAfterMs ?? 0)
  const waitMs = isDown ? pollMaxMs * 2 ** order.downs : retryMs(failing, { nowMs, random, wishedMs })
  const details = {
    host: job.subject,
    issuer: order?.issuer,
    code: error.code,
    error,
    failures: failing.failures,
    waitMs,
  }
  const { code: alert, title } = codes['certificate.expiring']
  if (isAlarming(doc, nowMs)) log.error({ ...details, alert }, title)
  else log.warn(details, 'a certificate could not be had yet')
  if (order && !isDown) await giveUp(here, order, error)
  const progress = isDown ? { order: { ...order, downs: order.downs + 1 } } : {}
  await job.advance(progress, async (tx) => {
    if (isAlarming(doc, nowMs)) (await lookToRaiseCertificate(tx, failing, { host: job.subject, nowMs }))()
    if (!isDown) tx.set(certificates.ref(job.subject), failing)
  })
  await job.pause(progress, nowMs + waitMs)
}
