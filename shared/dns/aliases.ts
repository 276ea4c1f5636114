/** Follows CNAME records from a host, one after the other, and returns how that ends. */
import type { Evidence } from '../control/domains/evidence.ts'
import type { Said } from './asker.ts'
import type { Question } from './message.ts'

const aliasesMax = 8

export async function followAliases(
  host: string,
  ask: (question: Question) => Promise<Said>,
): Promise<Pick<Evidence, 'chain' | 'chainEnd'>> {
  const chain: string[] = []
  const known = new Set([host])
  let name = host
  while (chain.length <= aliasesMax) {
    const said = await ask({ name, type: 'CNAME' })
    const records = said.kind === 'records' ? said.records : []
    const next = records.find((record) => record.type === 'CNAME' && record.name === name)?.value
    if (next === undefined) return { chain, chainEnd: chain.length === 0 ? 'none' : 'ends' }
    chain.push(next)
    if (known.has(next)) return { chain, chainEnd: 'loop' }
    known.add(next)
    name = next
  }
  return { chain, chainEnd: 'too_long' }
}
