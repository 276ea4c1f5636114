/** Proves the names of an order: by HTTP-01, which relays can answer without a message, or for wildcards by DNS-01. */
import { fail, isFailure } from '../../base/errors.ts'
import { txtValue } from './account-key.ts'
import { challengeName } from './delegating.ts'
import type { OpenOrder, Try } from './ordering.ts'
import type { Authorization, Challenge, Issuer, IssuerAccount, Order } from './role.ts'
import type { Wanted } from './wanted.ts'

type Proof = {
  readonly issuer: Issuer
  readonly account: IssuerAccount
  readonly open: OpenOrder
  readonly order: Order
}

/** An order has two names at most, each with one proof. */
const proofsMax = 20

/**
 * Meets the open challenges, and tells the issuer to check them.
 * @returns the order with the records that were made; undefined when everything was sent and the issuer checks
 */
export async function prove(
  here: Try,
  { issuer, account, open, order }: Proof,
): Promise<OpenOrder | undefined> {
  const { control, job } = here
  const { signal } = job
  const waiting: { readonly url: string; readonly challenge: Challenge }[] = []
  const records = [...open.records]
  for (const url of order.authorizations) {
    const authorization = await issuer.authorization(account, url, signal)
    if (!open.hosts.some((host) => host.replace(/^\*\./, '') === authorization.host))
      throw fail('certificate.refused', 'The authority asks for a proof of a name that was not ordered.')
    const challenge = openChallenge(authorization, open.delegated === '' ? here.wanted.proof : 'dns-01')
    if (!challenge || open.told.includes(challenge.url)) continue
    waiting.push({ url, challenge })
    if (challenge.type !== 'dns-01') continue
    const name = open.delegated === '' ? challengeName(authorization.host) : open.delegated
    records.push({ name, value: await txtValue(account.key, challenge.token) })
  }
  if (waiting.length === 0) return undefined
  if (open.told.length + waiting.length > proofsMax)
    throw fail('certificate.refused', `The authority asked for more than ${proofsMax} proofs.`)
  const after = { ...open, records: unique(records) }
  // It is saved before it is there, so that a later worker removes it.
  await job.advance({ order: after })
  for (const { name, value } of after.records) await control.dns.put(name, value, signal)
  for (const { url, challenge } of waiting) await tell({ issuer, account, signal }, url, challenge)
  return { ...after, told: [...after.told, ...waiting.map(({ challenge }) => challenge.url)] }
}

/** A worker that died may have sent it before: then the issuer has checked, and accepts no second message. */
async function tell(
  { issuer, account, signal }: Pick<Proof, 'issuer' | 'account'> & { readonly signal: AbortSignal },
  url: string,
  challenge: Challenge,
): Promise<void> {
  try {
    await issuer.ready(account, challenge, signal)
  } catch (error) {
    if (!isFailure(error, 'certificate.refused')) throw error
    const { challenges } = await issuer.authorization(account, url, signal)
    const now = challenges.find((each) => each.url === challenge.url)
    if (now?.status === 'pending') throw error
  }
}

/** @throws certificate.validation */
function openChallenge(authorization: Authorization, proof: Wanted['proof']): Challenge | undefined {
  const { status, host, challenges, reason } = authorization
  if (status === 'valid') return undefined
  if (status !== 'pending') throw fail('certificate.validation', reason ?? `${host} was not proven.`)
  const challenge = challenges.find(({ type }) => type === proof)
  if (!challenge) throw fail('certificate.refused', `The authority offers no ${proof} for ${host}.`)
  return challenge.status === 'pending' ? challenge : undefined
}

function unique(records: OpenOrder['records']): OpenOrder['records'] {
  return [...new Map(records.map((record) => [`${record.name} ${record.value}`, record])).values()]
}

/** Best effort: a record that stays proves nothing for anybody else. */
export async function tidyProofs(
  { control, job }: Pick<Try, 'control' | 'job'>,
  { records }: OpenOrder,
): Promise<void> {
  for (const { name, value } of records)
    try {
      await control.dns.remove(name, value, job.signal)
    } catch (error) {
      control.log.warn({ error, name }, 'a TXT record of a challenge was left behind')
    }
}
