/** Actions of audit logs that operators see as security events, with words for people. */
export const securityKinds = {
  'auth.failed': 'Failed sign-in',
  'auth.locked': 'Sign-in made to wait',
  'auth.token_reused': 'Stolen session token',
  'auth.signed_out_everywhere': 'Signed out everywhere',
  'auth.address_stopped': 'Change of address stopped',
  'factor.failed': 'Wrong second factor',
  'factor.recovery_asked': 'All factors lost',
  'factor.recovered': 'Got in without a factor',
  'factor.reset': 'Factors reset by an operator',
  'ticket.refused': 'Forged or expired ticket',
  'account.suspended': 'Account suspended',
  'account.resumed': 'Account resumed',
  'tunnel.taken_down': 'Tunnel taken down',
  'tunnel.restored': 'Tunnel put back',
  'person.disabled': 'Person disabled',
  'person.enabled': 'Person enabled',
  'domain.suspended': 'Domain suspended',
  'signing.leaked': 'Signing key leaked',
  'secrets.renewed': 'Secrets renewed',
  'view.began': 'View by an operator',
  'operator.added': 'Operator added',
  'operator.removed': 'Operator removed',
} as const
export type SecurityKind = keyof typeof securityKinds

export function isSecurityKind(action: string): action is SecurityKind {
  return Object.hasOwn(securityKinds, action)
}
