/** The terminal's text about an own domain: the record to make, and what was found instead. */
import type { Domain } from '@porttunneler/shared/api/schemas/domains'
import { formatTable, type Paint } from '../output/format.ts'

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

export function stateWord({ state, findings }: Domain): string {
  const [first] = findings
  return first && state === 'verified' ? `${state}, but ${first.code}` : state
}
