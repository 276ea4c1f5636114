/** The first step of an order: chooses the issuer, checks the budget, makes a new key, and orders at the issuer. */

import { newCertificateKey } from '../../base/csr.ts'
import { fail, type PortTunnelerError } from '../../base/errors.ts'
import { asFailure } from '../failures.ts'
import { acmeKey } from './account-key.ts'
import { type Purchase, refund, restAfterFailures, spend } from './budget.ts'
import { allowedIssuers } from './caa.ts'
import { delegatedName, requireDelegation } from './delegating.ts'
import type { OpenOrder, Try } from './ordering.ts'
import type { Issuer } from './role.ts'
import { inOrder, isOfIssuer } from './rules.ts'

/**
 * Orders at the first issuer that accepts. When it resolves, the order and its key are saved.
 * @throws certificate.undelegated, or the error of the last issuer that was asked: certificate.*
 */
export async function beginOrder(here: Try): Promise<OpenOrder> {
  const { control, wanted, doc } = here
  const { certificates, clock } = control
  await requireDelegation(control, wanted.hosts[0] ?? '')
  const allowed = await allowedIssuers(certificates, certificates.issuers, wanted.hosts)
  let last: PortTunnelerError = fail('certificate.refused', 'There is no authority to ask.')
  for (const issuer of inOrder(allowed, doc, clock.now()))
    try {
      return await beginAt(here, issuer)
    } catch (thrown) {
      last = asFailure(thrown)
      if (!isOfIssuer(last.code)) throw thrown
    }
  throw last
}

async function beginAt(here: Try, issuer: Issuer): Promise<OpenOrder> {
  const { control, wanted } = here
  const { hosts, ofAgent } = wanted
  // An agent makes a new key for a renewal, so the certificate before is another document.
  const doc = ofAgent?.before ?? here.doc
  // An issuer exempts a renewal of its own certificate; another issuer does not know ARI's names.
  const replaces = doc.ariId !== '' && doc.issuer === issuer.name ? doc.ariId : undefined
  const purchase = { hosts, isRenewal: doc.version > 0 && doc.issuer === issuer.name }
  const waitMs = await (replaces === undefined
    ? spend(control, issuer, purchase)
    : restAfterFailures(control, issuer, hosts))
  if (waitMs > 0) {
    const time = new Date(control.clock.now() + waitMs).toISOString()
    const fields = { retryAfterMs: waitMs }
    throw fail('certificate.budget', `It is ordered at ${time} at the earliest.`, { fields })
  }
  const paid = replaces === undefined ? purchase : undefined
  try {
    return await orderAt(here, { issuer, replaces, paid })
  } catch (error) {
    if (paid) await refund(control, issuer, paid)
    throw error
  }
}

type Ordering = {
  readonly issuer: Issuer
  readonly replaces: string | undefined
  readonly paid: Purchase | undefined
}

async function orderAt(
  { control, job, wanted }: Try,
  { issuer, replaces, paid }: Ordering,
): Promise<OpenOrder> {
  const { hosts, ofAgent } = wanted
  const key = await acmeKey(control)
  const url = await issuer.account(key, job.signal)
  const wrappedKey = ofAgent ? '' : await control.vault.wrap(newCertificateKey())
  const wish = { hosts, ...(replaces !== undefined && { replaces }) }
  const delegated = wanted.proof === 'http-01' ? await delegatedName(control, hosts[0] ?? '') : ''
  const order = await issuer.order({ url, key }, wish, job.signal)
  const open: OpenOrder = {
    ...{ issuer: issuer.name, account: url, url: order.url, wrappedKey, hosts: [...hosts], delegated },
    ...{ records: [], told: [], since: control.clock.now(), downs: 0 },
    paid: paid ? (paid.isRenewal ? 'renewal' : 'new') : 'nothing',
  }
  await job.advance({ order: open })
  return open
}
