/** What a person may lack for everything else. `/v1/me` says it first, and every other call too. */
import { toFailure } from './failure.ts'

export const gates = {
  noAccount: 'PT-1015',
  personLeaves: 'PT-1130',
  accountLeaves: 'PT-1131',
  secondStep: 'PT-1201',
  factorRequired: 'PT-1202',
} as const

const codes: ReadonlySet<string | undefined> = new Set(Object.values(gates))

/** Whether a call was refused for something that the whole console asks the person for. */
export function isAtGate(error: unknown): boolean {
  return codes.has(toFailure(error).problem.code)
}
