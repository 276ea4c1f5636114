/**
 * Pages of the console that something outside it leads to: mails, webhooks, refusals, the payment service. A test of
 * the console holds each of them to its router, so that a page that moves takes its links along.
 */
export const consolePages = {
  home: '',
  account: '/account',
  alerts: '/alerts',
  audit: '/audit',
  confirmAddress: '/confirm-address',
  data: '/data',
  device: '/device',
  domains: '/domains',
  forgotPassword: '/forgot-password',
  join: '/join',
  keys: '/keys',
  members: '/members',
  operatorAbuse: '/operator/abuse',
  operatorSystem: '/operator/system',
  plans: '/plans',
  recover: '/recover',
  register: '/register',
  resetPassword: '/reset-password',
  security: '/security',
  sessions: '/sessions',
  signIn: '/sign-in',
  signInWith: '/sign-in/with',
  stopAddress: '/stop-address',
  terms: '/terms',
  waitList: '/wait-list',
} as const
export type ConsolePage = keyof typeof consolePages

/** @param consoleUrl without a final slash */
export function linkTo(
  { consoleUrl }: { readonly consoleUrl: string },
  page: ConsolePage,
  query: Readonly<Record<string, string>> = {},
): string {
  const text = new URLSearchParams(query).toString()
  return `${consoleUrl}${consolePages[page]}${text === '' ? '' : `?${text}`}`
}
