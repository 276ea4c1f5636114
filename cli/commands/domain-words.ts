/** The terminal's text about an own domain: the record to make, and what was found instead. */
import type { Domain } from '@porttunneler/shared/api/schemas/domains'
import { isWildcard } from '@porttunneler/shared/base/wildcards'
import { formatDate, formatTable, type Paint } from '../output/format.ts'

/** The record to make; where there is a choice, the record that does both, and the other way in a sentence. */
export function recordLines({ host, records, provider }: Domain, paint: Paint): readonly string[] {
  const both = records.find(({ does }) => does === 'both')
  const others = records.filter((record) => record !== both)
  const asked = both ? [both] : others
  const head = ['TYPE', 'NAME', 'VALUE'].map((title) => paint('dim', title))
  const table = (made: Domain['records']) =>
    formatTable([head, ...made.map((one) => [paint('bold', one.type), one.shortName, one.value])])
  const [text] = others
  const these = asked.length === 1 ? 'this record' : 'these records'
  const where = provider ? ` (${provider.name})` : ''
  return [
    `Make ${these} where the DNS of ${host} is managed${where}:`,
    '',
    ...table(asked).map((line) => `  ${line}`),
    '',
    provider ? provider.hint : 'NAME is without the domain, as most providers want it.',
    ...(both
      ? []
      : ['@ is the domain itself. Some providers call an ALIAS record ANAME or CNAME flattening.']),
    ...(both && text
      ? [
          'If a CNAME is not possible there, make an ALIAS of the same name and value, and this record:',
          '',
          ...table([text])
            .slice(1)
            .map((line) => `  ${line}`),
        ]
      : []),
  ]
}

/** What was wrong at the last look, in one line. */
export function findingLine({ findings: [first], checkedAt }: Domain): string {
  if (!first) return checkedAt === undefined ? 'Looking...' : 'Nothing is amiss.'
  return `${first.title} (${first.code}): ${first.detail} ${first.cure}`
}

/** The state of the certificate, short enough for a table. */
export function certificateWord({ certificate }: Domain, nowMs: number): string {
  if (!certificate) return ''
  const { state, validUntil = 0, problem, key } = certificate
  const where = key === 'agent' ? ' at the agent' : ''
  const life = validUntil > nowMs ? `until ${formatDate(validUntil).slice(0, 10)}${where}` : ''
  switch (state) {
    case 'none':
      return 'not yet'
    case 'ordering':
      return 'being ordered'
    case 'valid':
      return life
    case 'failing':
      return life === '' ? `${problem?.code}` : `${life}, but ${problem?.code}`
  }
}

/** The state of the certificate as a sentence; undefined where no certificates are ordered. */
export function certificateLine({ host, certificate, certificateRecord }: Domain): string | undefined {
  if (!certificate) return undefined
  const { state, validUntil = 0, problem, triedAgainAt, key } = certificate
  switch (state) {
    case 'none':
      return `The certificate of ${host} is ordered when a tunnel serves it.`
    case 'ordering':
      return `The certificate of ${host} is being ordered.`
    case 'valid':
      return key === 'agent'
        ? `The agent of the tunnel has the certificate of ${host}, valid until ${formatDate(validUntil)}, and renews it before that.`
        : `The certificate of ${host} is valid until ${formatDate(validUntil)}, and is renewed before that.`
    case 'failing': {
      const which = validUntil > 0 ? 'new certificate' : 'certificate'
      const why = `${problem?.title} (${problem?.code}): ${problem?.detail} ${problem?.cure}`
      const again = triedAgainAt === undefined ? '' : ` Next try: ${formatDate(triedAgainAt)}.`
      const { type, name, value } = certificateRecord ?? {}
      // The detail of a wildcard's problem has the record.
      const other =
        certificateRecord && !isWildcard(host)
          ? ` Where port 80 cannot be reached, this record proves the host too: ${name} ${type} ${value}`
          : ''
      return `${host} has no ${which} yet. ${why}${again}${other}`
    }
  }
}

export function stateWord({ state, findings }: Domain): string {
  const [first] = findings
  if (!first) return state
  return state === 'verified' ? `${state}, but ${first.code}` : `${state}, ${first.code}`
}
