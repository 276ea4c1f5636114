/**
 * Which calls wait until the operator's documents are accepted (control/terms/terms.ts): those that change something.
 * Reading, deleting, exporting and protecting one's own sign-in always work: the law gives people most of that, and a
 * thief gains from the rest. A test holds this list against every route.
 */
import type { AnyCall, ApiDeps, Declared } from './kit.ts'

/** Calls that go on although they are no GET and no DELETE. */
export const goesOn: ReadonlySet<string> = new Set([
  'POST /v1/person/terms',
  // Own data, and coming back to accept.
  'POST /v1/person/export',
  'POST /v1/account/export',
  'POST /v1/audit/export',
  'POST /v1/person/keep',
  'POST /v1/account/keep',
  // These protect the person's own sign-in, and say where mails go.
  'POST /v1/factors/show/options',
  'POST /v1/factors/show',
  'POST /v1/factors/passkeys/options',
  'POST /v1/factors/passkeys',
  'PATCH /v1/factors/passkeys/{passkey}',
  'POST /v1/factors/app',
  'POST /v1/factors/app/confirm',
  'POST /v1/factors/codes',
  'POST /v1/factors/recovery',
  'POST /v1/factors/recovery/follow',
  'POST /v1/factors/recovery/complete',
  'POST /v1/address-change',
  'POST /v1/address-change/confirm',
  'PATCH /v1/person/mails/{purpose}',
  // What is online stays online, and can be watched and ended.
  'POST /v1/leases/renew',
  'POST /v1/leases/release',
  'POST /v1/watch',
  // These only read, or say what somebody thinks of the terms.
  'POST /v1/invitations/read',
  'POST /v1/feedback',
])

/** Operators act for the service, whose documents they are. */
const ofOperators = '/v1/operator/'

/** Strangers and relays have nothing to accept; routes of sign-in itself are public, and go on. */
export function waitsForTerms({
  method,
  path,
  access,
}: Pick<Declared, 'method' | 'path' | 'access'>): boolean {
  if ('public' in access || 'relay' in access) return false
  if (method === 'get' || method === 'delete' || path.startsWith(ofOperators)) return false
  return !goesOn.has(`${method.toUpperCase()} ${path}`)
}

/** @throws terms.due */
export async function requireTerms({ control }: Pick<ApiDeps, 'control'>, call: AnyCall): Promise<void> {
  if ('signedIn' in call) await control.terms.require(call.signedIn.person.id)
  // The member of a key is its maker; a service's keys belong to the account, which accepts nothing.
  if ('caller' in call) await control.terms.require(call.caller.member)
}
