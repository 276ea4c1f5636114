/** Where each mail leads: the one list of the links that mails carry. */
import { type ConsolePage, linkTo } from '../../base/console-pages.ts'
import type { TemplateName } from './templates.ts'

export const pageOfMail = {
  'password-reset': 'resetPassword',
  'account-link': 'register',
  'account-known': 'signIn',
  'wait-list-proof': 'waitList',
  'wait-list-invite': 'register',
  'password-changed': 'forgotPassword',
  // Both are ended there.
  'sign-in-new': 'sessions',
  'key-created': 'keys',
  // Services are linked and unlinked there.
  'sign-in-linked': 'account',
  'sign-in-removed': 'account',
  'domain-failing': 'domains',
  'domain-suspended': 'domains',
  'domain-lost': 'domains',
  invitation: 'join',
  'member-joined': 'members',
  // The account that they have now is another one.
  'member-removed': 'home',
  'member-owner': 'members',
  'member-factor': 'security',
  'account-suspended': 'home',
  // It says who looked, and when.
  'account-viewed': 'audit',
  // The data can be exported there; who signs in is first asked whether to keep the account.
  'account-leaving': 'data',
  'account-leaving-soon': 'data',
  'account-left': 'home',
  'account-kept': 'account',
  'person-leaving': 'home',
  'person-left': 'home',
  'person-stays': 'home',
  'factor-news': 'security',
  'factor-recovery': 'recover',
  'terms-new': 'terms',
  // Those of operators lead to the page of the system (alerts/telling.ts).
  alerts: 'alerts',
  'address-new': 'confirmAddress',
  'address-old': 'confirmAddress',
  'address-changed': 'account',
  // The page of the tunnel lies below.
  'abuse-news': 'home',
  'report-answer': 'home',
  'reports-waiting': 'operatorAbuse',
  'billing-open': 'plans',
  'billing-limited': 'plans',
  'billing-trial': 'plans',
  'billing-second': 'plans',
  'billing-moved': 'plans',
  'billing-moving': 'plans',
  'billing-lost': 'plans',
} as const satisfies Record<TemplateName, ConsolePage>

/** @param query what the page needs, such as the token that stands for the mail */
export function linkOf(
  settings: { readonly consoleUrl: string },
  mail: TemplateName,
  query?: Readonly<Record<string, string>>,
): string {
  return linkTo(settings, pageOfMail[mail], query)
}
