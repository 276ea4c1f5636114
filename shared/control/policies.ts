/** Policies of tunnels, as their owners write them and as they go to relays. What a plan allows: plans.ts. */

import { fail } from '../base/errors.ts'
import { type Policy, requestRules, type TunnelKind } from '../protocol/endpoint.ts'
import { type HttpEdits, httpEditsSchema, type WrittenEdits } from '../protocol/http-edits.ts'
import type { Caller } from './caller.ts'
import { makeCommand, type Outgoing } from './commands.ts'
import type { TunnelDoc } from './documents.ts'
import { policyOf } from './plans.ts'

/** A policy from a request, where a rule that is not set may be undefined. */
export type LoosePolicy = { readonly [F in keyof Policy]?: Policy[F] | undefined }

/** @returns the policy without empty fields, as it is kept. @throws policy.needs_http */
export function checkedPolicy(kind: TunnelKind, policy: LoosePolicy): Partial<Policy> {
  const rule = kind === 'http' ? undefined : requestRules.find((name) => policy[name] !== undefined)
  if (rule !== undefined) throw fail('policy.needs_http', `"${rule}" cannot be kept at a ${kind} tunnel.`)
  return Object.fromEntries(Object.entries(policy).filter(([, value]) => value !== undefined))
}

/** @returns the edits of a new or changed tunnel, as they are kept. @throws policy.needs_http, policy.edits */
export function checkedEdits(
  kind: TunnelKind,
  edits: WrittenEdits | undefined,
): { readonly edits?: HttpEdits } {
  if (edits === undefined || Object.keys(edits).length === 0) return {}
  if (kind !== 'http') throw fail('policy.needs_http', `"edits" cannot be kept at a ${kind} tunnel.`)
  const { data, error } = httpEditsSchema.safeParse(edits)
  if (data) return { edits: data }
  const [first] = error.issues
  throw fail('policy.edits', `edits.${first?.path.join('.')}: ${first?.message}`)
}

export function policyCommand(
  caller: Caller,
  { id, next, nowMs }: { id: string; next: TunnelDoc; nowMs: number },
): Outgoing {
  const { policyVersion } = next
  const policy = policyOf(next.policy, caller.limits)
  return makeCommand(next.cell, { kind: 'policy', tunnel: id, policy, policyVersion }, nowMs)
}
