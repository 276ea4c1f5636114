/** The terminal's text about an own domain: the record to make, and what was found instead. */
import type { Domain } from '@porttunneler/shared/api/schemas/domains'
import { formatDate, formatTable, type Paint } from '../output/format.ts'

/** The record to make; where there is a choice, the record that does both, and the other way in a sentence. */
export function recordLines({ host, records, provider }: Domain, paint: Paint): readonly string[] {
  const both = records.find(({ does }) => does === 'both')
  const others = records.filter((record) => record !== both)
  const asked = both ? [both] : others
  const rows = asked.map(({ type, shortName, value }) => [paint('bold', type), shortName, value])
  const head = ['TYPE', 'NAME', 'VALUE'].map((title) => paint('dim', title))
  const [text] = others
  return [
    asked.length === 1
      ? `Make this record where the DNS of ${host} is managed${provider ? ` (${provider.name})` : ''}:`
      : `Make these records where the DNS of ${host} is managed${provider ? ` (${provider.name})` : ''}:`,
    '',
    ...formatTable([head, ...rows]).map((line) => `  ${line}`),
    '',
    ...(provider ? [provider.hint] : ['NAME is without the domain, as most providers want it.']),
    ...(both && text
      ? [
          `Or prove it by ${text.type} at ${text.shortName} with the value ${text.value}, and lead the host here as you like.`,
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
  const { state, validUntil = 0, problem } = certificate
  const life = validUntil > nowMs ? `until ${formatDate(validUntil).slice(0, 10)}` : ''
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
export function certificateLine({ certificate }: Domain): string | undefined {
  if (!certificate) return undefined
  const { state, validUntil = 0, problem, triedAgainAt } = certificate
  switch (state) {
    case 'none':
      return 'Its certificate is ordered when a tunnel serves it.'
    case 'ordering':
      return 'Its certificate is being ordered.'
    case 'valid':
      return `Its certificate is valid until ${formatDate(validUntil)}, and is renewed before that.`
    case 'failing': {
      const again = triedAgainAt === undefined ? '' : ` Next try: ${formatDate(triedAgainAt)}.`
      return `${problem?.title} (${problem?.code}): ${problem?.detail} ${problem?.cure}${again}`
    }
  }
}

export function stateWord({ state, findings }: Domain): string {
  const [first] = findings
  return first && state === 'verified' ? `${state}, but ${first.code}` : state
}
