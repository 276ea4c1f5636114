/**
 * Certificates whose keys are on users' machines: an agent sends a request (CSR), and we only have the chain. The jobs
 * that order our own order these too (ordering.ts); an agent renews by sending another request with a new key.
 * docs/decisions/0068-end-to-end-tls.md
 */
import { fail } from '../../base/errors.ts'
import { wildcardOver } from '../../base/wildcards.ts'
import { byCaller, writeAudit } from '../audit.ts'
import { type Caller, mayTouch } from '../caller.ts'
import { type CertificateDoc, certificates, noCertificate } from '../certificate-documents.ts'
import type { Control } from '../control.ts'
import { countEvent } from '../rates.ts'
import { requireStill } from '../still.ts'
import { agentPrefix, isOfAgent, notYours, requireHost, tunnelAt } from './agent-hosts.ts'
import { certificateJob, ensureCertificate } from './ordering.ts'
import { readAgentRequest } from './read-csr.ts'

/** An account that loses its keys at each start gets no further. Orders without an end last a week (ordering.ts). */
const requests = { scope: 'certificates', max: 100, windowMs: 24 * 3_600_000 } as const
export type AgentCertificate = {
  readonly id: string
  readonly doc: CertificateDoc
  /** When the next step is due. */
  readonly nextAt: number
}

type Wish = {
  readonly host: string
  /** PEM. */
  readonly csr: string
  /** The certificate that this one follows, so that it counts as its renewal. */
  readonly replaces?: string | undefined
}

/**
 * Has it ordered. Sent again, it changes nothing.
 * @throws certificate.none, certificate.request, certificate.key_known, certificate.waiting, and those of requireHost
 */
export async function requestCertificate(
  control: Control,
  caller: Caller,
  { host, csr, replaces = '' }: Wish,
): Promise<AgentCertificate> {
  if (control.certificates.issuers.length === 0) throw fail('certificate.none')
  const { tunnel, name } = await requireHost(control, caller.account, host)
  if (!mayTouch(caller, name)) throw fail('certificate.name', notYours(host))
  const { der, keyHash } = readAgentRequest(csr, host)
  const ref = certificates.ref(`${agentPrefix}${keyHash.slice(0, 40)}`)
  const before = await control.store.get(ref)
  if (!before) await countEvent(control, requests, { subject: caller.account, key: 'certificate.waiting' })
  const doc = await control.store.transact(async (tx) => {
    const known = (await tx.get(ref))?.data
    if (known) return known
    const nowMs = control.clock.now()
    await requireStill(tx, caller, { needs: 'tunnels.serve', nowMs })
    const fresh: CertificateDoc = {
      ...noCertificate(caller.account, [host]),
      ...{ csr: der.toString('base64'), replaces, requestedAt: nowMs, triedAt: nowMs },
      agentHost: host,
      above: wildcardOver(host),
    }
    tx.create(ref, fresh)
    const details = { host, certificate: ref.id }
    writeAudit(tx, { ...byCaller(caller), target: tunnel, action: 'certificate.requested', details }, nowMs)
    return fresh
  })
  if (doc.account !== caller.account || doc.hosts[0] !== host) throw fail('certificate.key_known')
  // Also for a known one: the process that wrote it may have died before this.
  await ensureCertificate(control, ref.id)
  return describe(control, ref.id, doc)
}

/** @throws api.not_found */
export async function readAgentCertificate(
  control: Control,
  caller: Caller,
  id: string,
): Promise<AgentCertificate> {
  const found = isOfAgent(id) ? await control.store.get(certificates.ref(id)) : undefined
  if (found?.data.account !== caller.account) throw fail('api.not_found')
  const [host = ''] = found.data.hosts
  if (caller.tunnels && !mayTouch(caller, (await tunnelAt(control, host))?.name ?? ''))
    throw fail('api.not_found')
  return describe(control, id, found.data)
}

async function describe(control: Control, id: string, doc: CertificateDoc): Promise<AgentCertificate> {
  const job = await control.store.get(certificateJob(id))
  return { id, doc, nextAt: job?.data.dueAt ?? control.clock.now() }
}
