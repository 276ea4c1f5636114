/** Certificates for the operator: which there are, how long they are valid, and why an order fails. */
import { z } from 'zod'
import { fail } from '../../base/errors.ts'
import { readAscii } from '../../base/host-names.ts'
import { certificates } from '../certificate-documents.ts'
import { orderNow } from '../certificates/ordering.ts'
import { wantedCertificate } from '../certificates/wanted.ts'
import { kick } from '../jobs/kick.ts'
import { queries } from '../query-table.ts'
import { declareAct, writeAct } from './act.ts'

const listSchema = z.strictObject({ limit: z.int().min(1).max(500).default(100) })
const hostSchema = z.strictObject({ host: z.string().min(1).max(253) })

export const certificateActs = {
  'certificates.list': declareAct(listSchema, async ({ control }, { limit }) => {
    const { items } = await control.store.query(queries.certificatesByEnd, { where: {}, limit })
    return items.map(({ data }) => ({
      hosts: data.hosts,
      state: data.state,
      issuer: data.issuer,
      validUntil: data.notAfter,
      renewAt: data.renewAt,
      failures: data.failures,
      error: data.error,
      reason: data.reason,
    }))
  }),
  'certificates.order': declareAct(hostSchema, async ({ control }, { host: text }, by) => {
    const host = nameOf(text)
    if (control.certificates.issuers.length === 0 || !(await wantedCertificate(control, host)))
      throw fail('operator.missing', `"${host}" is no name that this service orders certificates for.`)
    const id = await control.store.transact(async (tx) => {
      const nowMs = control.clock.now()
      const found = await tx.get(certificates.ref(host))
      const ask = await orderNow(tx, host, nowMs)
      if (found) tx.update(found.ref, { renewAt: nowMs, ariAskAt: Number.MAX_SAFE_INTEGER })
      writeAct(tx, by, { action: 'certificate.ordered', target: host }, nowMs)
      return ask()
    })
    await kick(control, [id])
    return { host, state: 'ordering' }
  }),
}

/** A host in any spelling, or the id of an agent's certificate. @throws name.* */
function nameOf(text: string): string {
  if (/^crt_[\w-]+$/.test(text)) return text
  const read = readAscii(text)
  if ('error' in read) throw read.error
  return read.host
}
