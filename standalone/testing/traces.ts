/**
 * Traces of a person, planted everywhere: something in every collection that may have anything of people or accounts,
 * each with the person's mark, so that a walk over a whole database finds what an erasure has left and an export has
 * forgotten. Most is what the API itself writes; the rest is written as the code that owns it would.
 */
import { newId } from '@porttunneler/shared/base/ids'
import { addressChanges } from '@porttunneler/shared/control/address-change/address-change-documents'
import { alertRef, rulesRef } from '@porttunneler/shared/control/alerts/alert-documents'
import { deliveries, webhooks } from '@porttunneler/shared/control/alerts/webhook-documents'
import { auditExportParts, auditExports } from '@porttunneler/shared/control/audit-documents'
import { certificates, noCertificate } from '@porttunneler/shared/control/certificate-documents'
import { connections } from '@porttunneler/shared/control/connections/documents'
import { packRows } from '@porttunneler/shared/control/connections/packing'
import { deviceCodes, idempotency, identities, tunnels } from '@porttunneler/shared/control/documents'
import { domains, verified } from '@porttunneler/shared/control/domains/domain-documents'
import { domainId } from '@porttunneler/shared/control/domains/proof'
import { factors, passkeys } from '@porttunneler/shared/control/factors/factor-documents'
import { sendFeedback } from '@porttunneler/shared/control/feedback'
import { addressRef } from '@porttunneler/shared/control/mail/addresses'
import { addMember } from '@porttunneler/shared/control/members'
import { names } from '@porttunneler/shared/control/name-documents'
import { notes } from '@porttunneler/shared/control/operator/operator-documents'
import type { Doc, Ref } from '@porttunneler/shared/control/platform'
import { signInPlaces, signIns } from '@porttunneler/shared/control/sign-ins/sign-in-documents'
import { invitationRef } from '@porttunneler/shared/control/team/invitation-documents'
import { usageHours, usageLate, usageMonths } from '@porttunneler/shared/control/usage-documents'
import { waitingRef } from '@porttunneler/shared/control/wait-list'
import { z } from 'zod'
import type { TestApi } from './api.ts'

const dayMs = 24 * 3_600_000
const idSchema = z.object({ id: z.string() })

/** What a person is known by. */
export type Marks = {
  /** In every text of theirs: the mail address, names, reasons. */
  readonly tag: string
  readonly email: string
  readonly id: string
  /** Theirs alone. */
  readonly account: string
  readonly tunnel: string
  /** Where they sat. */
  readonly address: string
}

/** Why no trace is planted in a collection that may have something of people or accounts. */
export const notPlanted: Readonly<Record<string, string>> = {
  operators: 'an operator is not erased before the rights are taken away',
  subscriptions: 'erased with a payer, at the test server for Stripe: leaving-payers in payers.contract.ts',
  customers: 'the same',
  stripeEvents: 'it has ids of the payment service alone',
  meterReports: 'it has megabytes of hours, which bookkeeping needs',
  trials: 'it has keyed hashes, and nobody is found by them',
  usagePeriods: 'it has sums of hours, which bookkeeping needs',
  online: 'releases up to 0.1 left it; closing the account deletes it',
  auditTallies: 'a job turns them into entries of audit within the hour',
  operatorViews: 'it lives for half an hour',
  endedSignIns: 'it has the id of a sign-in, as long as its tokens live',
  commands: 'relays get ids, and they are gone after a day',
  jobs: 'each ends with its work; the mail of the end is the last',
  invites: 'the operator wrote it; the id of the account stays with bookkeeping',
  flags: 'it has ids of accounts, which stay with bookkeeping',
  serviceDays: 'it has ids of accounts, for 40 days',
  holds: 'what is on hold is not erased',
  abuseCases: 'visitors write it; it has ids of accounts, which show that somebody offends again',
  emails: 'the sign-in of the standalone server writes it with the person',
  passwords: 'the same',
  refreshTokens: 'the same',
  passwordResets: 'the same, for an hour',
  knownDevices: 'the same',
  signInAttempts: 'the same, for ten minutes',
  signInFailures: 'it has counts under hashes',
}

/** Somebody new, with traces everywhere. */
export async function plantTraces(
  t: TestApi,
  tag: string,
  address: string,
): Promise<Marks & { token: string }> {
  const email = `${tag}@example.com`
  const given = { email, password: 'correct horse battery' }
  const { accessToken: token } = (await t.identity.register(given, { from: address })).tokens
  const { member: id, account } = await t.principals.authenticate(token, '')
  const tunnel = await make(t, '/v1/tunnels', { token, address, json: { name: tag, kind: 'http' } })
  const marks = { tag, email, id, account, tunnel, address }
  await act(t, { ...marks, token })
  const { store } = t.control
  await Promise.all(documentsOf(marks, t.clock.now()).map(([ref, data]) => store.set(ref, data)))
  const claimed = (await store.get(domains.ref(domainId(account, `${tag}.example.org`))))?.data
  if (!claimed) throw new Error('no claim')
  const { claim } = claimed
  const right = { account, domain: domainId(account, claimed.host), claim, since: 1, goneAt: 0 }
  await store.set(verified.ref(claimed.host), { ...right, state: 'verified' })
  const asked = { account: t.owner.account, email, role: 'viewer', by: t.owner.actor, secret: '' } as const
  const ttl = new Date(t.clock.now() + 200 * dayMs)
  const invitation = { ...asked, createdAt: t.clock.now(), expiresAt: ttl.getTime(), ttl }
  await store.set(invitationRef(t.owner.account, email), invitation)
  const name = { account, tunnel, cells: ['home'], version: 1, ticketsUntil: 0, removedAt: 0 }
  await store.set(names.ref(claimed.host), { ...name, state: 'active' })
  await store.update(tunnels.ref(tunnel), { names: [{ host: claimed.host, version: 1 }] })
  return { ...marks, token }
}

async function make(
  t: TestApi,
  path: string,
  { token, address, json }: { readonly token: string; readonly address: string; readonly json: object },
): Promise<string> {
  const headers = { 'x-test-from': address, 'user-agent': 'traces' }
  const answer = await t.call('POST', path, { token, json, headers })
  if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  return idSchema.catch({ id: '' }).parse(answer.status === 204 ? {} : await answer.json()).id
}

/** What the API writes for them: in their own account, and in the team of the stage's owner. */
async function act(t: TestApi, marks: Marks & { readonly token: string }): Promise<void> {
  const { tag, id, account, token, address } = marks
  const by = { token, address }
  await make(t, '/v1/keys', { ...by, json: { name: tag, scopes: ['read'] } })
  await make(t, '/v1/names', { ...by, json: { name: tag } })
  await make(t, '/v1/domains', { ...by, json: { host: `${tag}.example.org` } })
  await make(t, '/v1/invitations', { ...by, json: { email: `guest.${tag}@example.net`, role: 'viewer' } })
  const host = `${tag}.tunnel.example.com`
  const bound = await t.call('PATCH', `/v1/names/${host}`, { token, json: { tunnel: marks.tunnel } })
  const former = await make(t, '/v1/tunnels', { ...by, json: { name: `${tag}-old`, kind: 'tcp' } })
  const deleted = await t.call('DELETE', `/v1/tunnels/${former}`, { token })
  if (bound.status >= 300 || deleted.status >= 300) throw new Error('a name or a tunnel is not as planned')
  const agent = newId('agt', 1)
  await make(t, '/v1/leases', { ...by, json: { agent, tunnels: [{ name: tag, kind: 'http' }] } })
  await make(t, '/v1/leases/release', { ...by, json: { agent, tunnels: [marks.tunnel] } })
  await sendFeedback(t.control, { account, actor: id }, { text: `From ${tag}`, attached: { page: tag } })
  await addMember(t.of(t.owner), { user: id, role: 'developer', actor: t.owner.actor })
  t.clock.advance(31_000)
  const inTeam = { 'porttunneler-account': t.owner.account, 'x-test-from': address }
  const json = { name: `${tag} in the team`, scopes: ['read'] }
  await t.call('POST', '/v1/keys', { token, json, headers: inTeam })
  await sendFeedback(t.control, { account: t.owner.account, actor: id }, { text: `Of ${tag}`, attached: {} })
}

type Planted = readonly [Ref, Doc]
/** Checks that the document has the fields of its collection. */
function at<T extends Doc>(ref: Ref<T>, data: T): Planted {
  return [ref, data]
}

function documentsOf(marks: Marks, nowMs: number): readonly Planted[] {
  return [...ofPerson(marks, nowMs), ...ofAccount(marks, nowMs), ...ofShortLife(marks, nowMs)]
}

function ofPerson({ tag, email, id, address }: Marks, nowMs: number): readonly Planted[] {
  const ttl = new Date(nowMs + 200 * dayMs)
  const times = { createdAt: nowMs, usedAt: nowMs }
  const device = `Laptop of ${tag}`
  const signIn = {
    user: id,
    method: 'password',
    authTime: 1,
    freshAt: 1,
    factorAt: 0,
    from: address,
  } as const
  const passkey = { user: id, credential: 'AA', publicKey: 'AA', counter: 0, transports: [], name: tag }
  return [
    at(identities.ref(`oidc.work:${tag}`), { user: '', removedFrom: id, email, ttl }),
    at(passkeys.ref(`passkey-${tag}`), { ...passkey, isBackedUp: false, ...times }),
    at(factors.ref(id), { user: id, codes: [], codesAt: nowMs }),
    at(signIns.ref(`sign-in-${tag}`), { ...signIn, device, ...times, ttl }),
    at(signInPlaces.ref(id), { seen: [{ place: 'digest', day: 1 }] }),
    at(addressRef(email), { bouncedAt: 0, reply: tag, off: ['team'] }),
    at(waitingRef(email), {
      ...{ email, state: 'came', at: nowMs, proof: '', invite: '', cameAs: id, ttl },
    } as const),
    at(notes.ref(newId('not', nowMs)), { about: id, text: `Knows ${tag}`, by: 'operator:grace', at: nowMs }),
  ]
}

function ofAccount({ tag, id, account, tunnel, address }: Marks, nowMs: number): readonly Planted[] {
  const ttl = new Date(nowMs + 200 * dayMs)
  const hour = nowMs - (nowMs % 3_600_000)
  const sums = { in: 1, out: 1, opened: 1, refused: 0 }
  const key = { account, kind: 'tunnel.down', subject: tunnel } as const
  const window = { id: newId('mnt', 1), tunnel, from: nowMs, until: nowMs + dayMs, note: tag, by: id }
  const webhook = { url: `https://${tag}.example.org/hook`, format: 'standard', state: 'active' } as const
  const day = new Date(nowMs)
  const start = Date.UTC(day.getUTCFullYear(), day.getUTCMonth())
  return [
    at(alertRef(key), {
      ...{ ...key, name: tag, state: 'resolved', since: nowMs, last: nowMs, endedAt: nowMs, quietAt: 0 },
      ...{ unsteady: false, cause: tag, cure: '', code: '', news: '', untold: 0, toldAt: 0, closedBy: id },
      ...{ mutedUntil: 0, timeline: [{ at: nowMs, what: 'began', by: id }], ttl },
    } as const),
    at(rulesRef(account), { account, rules: [], windows: [window], revision: 1 }),
    at(webhooks.ref(newId('whk', nowMs)), {
      ...{
        account,
        ...webhook,
        secrets: [],
        by: id,
        createdAt: 1,
        failingSince: 0,
        lastStatus: 0,
        lastAt: 0,
      },
    }),
    at(connections.ref(`traces-${tag}`), {
      ...{ account, tunnel, from: nowMs, until: nowMs, counted: 1, kept: 1, ttl },
      packed: packRows([[0, 1, address, 1, 1, 0]]),
    }),
    at(certificates.ref(`${tag}.example.org`), noCertificate(account, [`${tag}.example.org`])),
    at(usageHours.ref(`${tunnel}:${hour}:traces`), {
      ...{ account, tunnel, cell: 'home', hour, ...sums, updatedAt: nowMs, ttl },
    }),
    at(usageMonths.ref(`${tunnel}:${start}`), { account, tunnel, start, hours: '', ttl }),
    at(notes.ref(newId('not', nowMs)), { about: account, text: tag, by: 'operator:grace', at: nowMs }),
  ]
}

/** These end by themselves before an erasure can begin. */
function ofShortLife({ tag, email, id, account, tunnel, address }: Marks, nowMs: number): readonly Planted[] {
  const ttl = new Date(nowMs + dayMs)
  const times = { createdAt: nowMs, expiresAt: nowMs + dayMs, ttl }
  return [
    at(addressChanges.ref(id), {
      ...{ from: email, to: `new.${email}`, fromSecret: '', toSecret: '', fromAt: 0, toAt: 0, ...times },
    }),
    at(deviceCodes.ref(`device-${tag}`), {
      ...{ userCode: tag, state: 'used', device: tag, scopes: [], from: address, polledAt: 0, intervalMs: 1 },
      ...{ account, user: id, ...times },
    } as const),
    at(idempotency.ref(`${id}:${tag}`), { account, fingerprint: tag, status: 201, body: tag, ttl }),
    at(usageLate.ref(account), { account, hours: [], ttl }),
    at(auditExports.ref(account), {
      ...{ actor: id, from: 0, to: nowMs, createdAt: nowMs, readyAt: nowMs, parts: 1, entries: 1, ttl },
    }),
    at(auditExportParts.ref(`${account}:1`), { account, text: `${tag} ${address}`, ttl }),
    at(deliveries.ref(newId('dlv', nowMs)), {
      ...{
        account,
        webhook: newId('whk', 1),
        type: 'alert.firing',
        body: `${tag} ${tunnel}`,
        state: 'delivered',
      },
      ...{ tries: 1, createdAt: nowMs, lastAt: nowMs, nextAt: 0, status: 200, reason: '', ttl },
    } as const),
  ]
}
