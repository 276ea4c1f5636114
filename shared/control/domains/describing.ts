/** What people are told about their domains: the records to make, what was found, and what to do. */
import type { Domain as DomainAnswer } from '../../api/schemas/domains.ts'
import { codes } from '../../base/errors.ts'
import type { Cell } from '../cells.ts'
import { challengeName, delegationUnder, isDelegating } from '../certificates/delegating.ts'
import { describeAgentCertificates, describeCertificates } from '../certificates/describing.ts'
import type { Control } from '../control.ts'
import { tunnels } from '../documents.ts'
import type { DomainDoc } from './domain-documents.ts'
import type { Domain } from './domains.ts'
import { proofName } from './evidence.ts'
import { toldCell } from './places.ts'
import { proofOf, targetUnder } from './proof.ts'
import { providerOf } from './providers.ts'

export async function describeDomains(control: Control, found: readonly Domain[]): Promise<DomainAnswer[]> {
  const cells = await control.cells.open()
  const refs = found.map(({ data }) => tunnels.ref(data.tunnel === '' ? 'none' : data.tunnel))
  const leadTo = await control.store.getAll(refs)
  const verified = found.filter(({ data }) => data.state !== 'pending').map(({ data }) => data)
  // A tunnel of kind tls leaves the TLS of its visitors untouched.
  const isUntouched = new Set(
    found.flatMap(({ data: { host, account } }, at) => {
      const tunnel = leadTo[at]?.data
      return tunnel?.kind === 'tls' && tunnel.account === account ? [host] : []
    }),
  )
  const [ofRelays, ofAgents] = await Promise.all([
    describeCertificates(
      control,
      verified.flatMap(({ host }) => (isUntouched.has(host) ? [] : [host])),
    ),
    describeAgentCertificates(
      control,
      verified.filter(({ host }) => isUntouched.has(host)),
    ),
  ])
  return Promise.all(
    found.map(async ({ data }, at) => {
      const tunnel = leadTo[at]
      const isOwn = tunnel?.data.account === data.account
      const certificate = ofRelays.get(data.host) ?? ofAgents.get(data.host)
      return {
        ...describe(data),
        ...(certificate && { certificate }),
        ...(isOwn && { tunnel: { id: tunnel.ref.id, name: tunnel.data.name } }),
        ...(await recordsOf(control, data, cells)),
      }
    }),
  )
}

type Records = Pick<DomainAnswer, 'records' | 'certificateRecord'>

function describe(domain: DomainDoc): Omit<DomainAnswer, keyof Records | 'tunnel' | 'certificate'> {
  const { host, state, zone, nameServers, revision, createdAt, verifiedAt, failingAt, checkedAt, nextAt } =
    domain
  const provider = providerOf(nameServers)
  return {
    host,
    state,
    findings: domain.findings.flatMap(({ key, detail }) => {
      const entry = Object.hasOwn(codes, key) ? codes[key as keyof typeof codes] : undefined
      return entry ? [{ code: entry.code, title: entry.title, detail, cure: entry.cure }] : []
    }),
    ...(zone !== '' && { zone }),
    ...(provider && { provider }),
    createdAt,
    ...(verifiedAt > 0 && { verifiedAt }),
    ...(failingAt > 0 && { failingSince: failingAt }),
    ...(checkedAt > 0 && { checkedAt }),
    nextCheckAt: nextAt,
    revision,
  }
}

async function recordsOf(control: Control, domain: DomainDoc, cells: readonly Cell[]): Promise<Records> {
  const { host } = domain
  const here = toldCell(control, domain, cells)
  const { token, text } = await proofOf(control, domain, [])
  const target = targetUnder(token, here?.domain ?? 'invalid')
  const parent = domain.zone === '' ? domain.domain : domain.zone
  const make = <T extends string>(type: T, name: string, value: string) => ({
    ...{ type, name, shortName: shortName(name, parent), value },
  })
  const delegation = here && delegationUnder(token, here.domain)
  const hasDelegation = delegation !== undefined && isDelegating(control)
  const certificateRecord = hasDelegation && make('CNAME', challengeName(host), delegation)
  const more = certificateRecord ? { certificateRecord } : {}
  const proof = make('TXT', proofName(host), text)
  // The other records at the top of a zone exclude a CNAME.
  if (host === parent)
    return {
      records: [
        { ...proof, does: 'proves' },
        { ...make('ALIAS', host, target), does: 'leads' },
      ],
      ...more,
    }
  return {
    records: [
      { ...make('CNAME', host, target), does: 'both' },
      { ...proof, does: 'proves' },
    ],
    ...more,
  }
}

/** The short form that most providers want. */
function shortName(name: string, zone: string): string {
  if (name === zone) return '@'
  return name.endsWith(`.${zone}`) ? name.slice(0, -zone.length - 1) : name
}
