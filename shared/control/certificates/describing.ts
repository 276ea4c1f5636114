/** What the owner of a host is told about its certificate: until when it is valid, or why it cannot be had yet. */
import type { Domain as DomainAnswer } from '../../api/schemas/domains.ts'
import { codes, keyOfCode } from '../../base/errors.ts'
import { type CertificateDoc, certificates } from '../certificate-documents.ts'
import type { Control } from '../control.ts'
import type { JobDoc } from '../documents.ts'
import { queries } from '../query-table.ts'
import { certificateJob } from './ordering.ts'

export type CertificateAnswer = NonNullable<DomainAnswer['certificate']>

/** By host; empty where no certificates are ordered. */
export async function describeCertificates(
  { certificates: { issuers }, store, clock }: Pick<Control, 'certificates' | 'store' | 'clock'>,
  hosts: readonly string[],
): Promise<ReadonlyMap<string, CertificateAnswer>> {
  if (issuers.length === 0 || hosts.length === 0) return new Map()
  const [docs, jobs] = await Promise.all([
    store.getAll(hosts.map((host) => certificates.ref(host))),
    store.getAll(hosts.map((host) => certificateJob(host))),
  ])
  return new Map(hosts.map((host, at) => [host, describe(docs[at]?.data, jobs[at]?.data, clock.now())]))
}

/** The newest requests for a host: several agents of a pool have one each. */
const requestsMax = 20

/** The same for hosts whose TLS ends at agents. A host for which no agent has asked is missing. */
export async function describeAgentCertificates(
  { certificates: { issuers }, store, clock }: Pick<Control, 'certificates' | 'store' | 'clock'>,
  found: readonly { readonly account: string; readonly host: string }[],
): Promise<ReadonlyMap<string, CertificateAnswer>> {
  if (issuers.length === 0) return new Map()
  const nowMs = clock.now()
  const told = await Promise.all(
    found.map(async ({ account, host: agentHost }) => {
      const where = { account, agentHost }
      const { items } = await store.query(queries.certificatesOfAgents, { where, limit: requestsMax })
      const [last] = items
      if (!last) return []
      const inUse = items.map(({ data }) => data).find(({ notAfter }) => notAfter > nowMs)
      const { version = 0, issuer = '', notAfter = 0, renewAt = 0 } = inUse ?? {}
      const job = (await store.get(certificateJob(last.ref.id)))?.data
      const answer = describe({ ...last.data, version, issuer, notAfter, renewAt }, job, nowMs)
      return [[agentHost, { ...answer, key: 'agent' }] as const]
    }),
  )
  return new Map(told.flat())
}

function describe(
  doc: CertificateDoc | undefined,
  job: Pick<JobDoc, 'dueAt'> | undefined,
  nowMs: number,
): CertificateAnswer {
  if (!doc) return { state: job ? 'ordering' : 'none' }
  const { notAfter, renewAt, issuer, state } = doc
  const life = doc.version > 0 && { issuer, validUntil: notAfter }
  if (state !== 'failing')
    return notAfter > nowMs ? { state: 'valid', ...life, renewsAt: renewAt } : { state: 'ordering', ...life }
  const key = keyOfCode(doc.error)
  const { title, cure } = codes[key ?? 'certificate.refused']
  return {
    state: 'failing',
    ...life,
    problem: { code: doc.error, title, detail: doc.reason, cure },
    ...(job && job.dueAt > 0 && { triedAgainAt: Math.ceil(job.dueAt) }),
  }
}
