/** What limits hold for the visitors of a route, and among whom its pools are shared. */
import { sourcePath } from '@porttunneler/shared/base/addresses'
import type { AdmissionSubject } from './policy/admission.ts'
import type { Route } from './routes.ts'

/** What admission has to know of it. */
export function subjectOf({ claims, policy }: Route): AdmissionSubject {
  const { sub: tunnel, account, accountLimits } = claims
  return { tunnel, account, accountLimits, policy }
}

/** Account, tunnel and the visitor's source: the owners of a stream, the largest first. */
export function pathOf({ claims }: Route, address: string): readonly string[] {
  return [claims.account, claims.sub, ...sourcePath(address)]
}

/** How many streams each of these owners may have. */
export function limitsOf({ claims, policy }: Route): readonly (number | undefined)[] {
  return [claims.accountLimits?.connectionsMax, policy.connectionsMax]
}
