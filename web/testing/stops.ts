/**
 * Every page of the console, and how a browser gets there: `npm run console:pictures` and the journeys of
 * e2e/suites/pages.ts stop at each. A route or a dialog without its place here fails web/stops.test.ts.
 */

/**
 * Who looks. owner: has a bit of everything, and operates the service; newcomer: has an account with nothing in it;
 * guest: is signed in and has no account; leaver: has asked to be deleted; reader: has terms to accept.
 */
export type Who = 'nobody' | 'owner' | 'newcomer' | 'guest' | 'leaver' | 'reader'

/** What addresses name; the world of the walk has one of each. */
export type Known = 'tunnel' | 'failing' | 'agent' | 'account' | 'person' | 'invitation' | 'device'

export type Stop = {
  /** Names the picture. */
  readonly name: string
  /** As in the table of routes, or in app.tsx. */
  readonly route: string
  /** The address, where `{tunnel}` and so on stand for ids. */
  readonly at: string
  readonly who: Who
}

const tunnelParts = ['overview', 'requests', 'connections', 'events', 'access', 'settings'] as const
const pages = {
  tunnels: '/',
  'new-tunnel': '/new',
  agents: '/agents',
  names: '/names',
  domains: '/domains',
  usage: '/usage',
  alerts: '/alerts',
  keys: '/keys',
  members: '/members',
  plans: '/plans',
  security: '/security',
  sessions: '/sessions',
  audit: '/audit',
  account: '/account',
  data: '/data',
} as const
const operatorPages = {
  'operator-relays': '/operator/relays',
  operator: '/operator',
  'operator-revenue': '/operator/revenue',
  'operator-events': '/operator/security',
  'operator-system': '/operator/system',
  'operator-logs': '/operator/logs',
  'operator-abuse': '/operator/abuse',
  'operator-activity': '/operator/activity',
  'operator-retention': '/operator/retention',
  'operator-compliance': '/operator/compliance',
  mails: '/mails',
} as const

function plain(table: Readonly<Record<string, string>>, who: Who, end = ''): readonly Stop[] {
  return Object.entries(table).map(([name, route]) => ({ name: `${name}${end}`, route, at: route, who }))
}

function stop(name: string, route: string, at: string, who: Who): Stop {
  return { name, route, at, who }
}

export const stops: readonly Stop[] = [
  stop('sign-in', '/sign-in', '/sign-in', 'nobody'),
  stop('returned', '/sign-in/with/:service', '/sign-in/with/example?error=access_denied', 'nobody'),
  stop('register', '/register', '/register', 'nobody'),
  stop('forgot-password', '/forgot-password', '/forgot-password', 'nobody'),
  stop('reset-password', '/reset-password', '/reset-password?token=none', 'nobody'),
  stop('reset-password-cut', '/reset-password', '/reset-password', 'nobody'),
  stop('wait-list', '/wait-list', '/wait-list', 'nobody'),
  stop('wait-list-confirm', '/wait-list', '/wait-list?token=none', 'nobody'),
  stop('stop-address', '/stop-address', '/stop-address?token=none', 'nobody'),
  stop('plans-public', '/plans', '/plans', 'nobody'),
  ...plain(pages, 'owner'),
  ...tunnelParts.map((part) =>
    stop(`tunnel-${part}`, '/tunnels/:id', `/tunnels/{tunnel}?tab=${part}`, 'owner'),
  ),
  stop('tunnel-failing', '/tunnels/:id', '/tunnels/{failing}', 'owner'),
  stop('tunnel-failing-events', '/tunnels/:id', '/tunnels/{failing}?tab=events', 'owner'),
  stop('tunnel-gone', '/tunnels/:id', `/tunnels/tun_${'0'.repeat(26)}`, 'owner'),
  ...['rules', 'maintenance', 'webhooks'].map((tab) =>
    stop(`alerts-${tab}`, '/alerts', `/alerts?tab=${tab}`, 'owner'),
  ),
  stop('alert-gone', '/alerts/:id', `/alerts/alr_${'0'.repeat(26)}`, 'owner'),
  stop('webhook-gone', '/alerts/webhooks/:id', `/alerts/webhooks/whk_${'0'.repeat(26)}`, 'owner'),
  stop('tunnels-none-found', '/', '/?search=nothing-is-called-so', 'owner'),
  stop('agent', '/agents/:id', '/agents/{agent}', 'owner'),
  stop('not-found', '*', '/nowhere', 'owner'),
  ...plain(operatorPages, 'owner'),
  stop('operator-found', '/operator', '/operator?who=a', 'owner'),
  stop('operator-person', '/operator/people/:id', '/operator/people/{person}', 'owner'),
  stop('operator-account', '/operator/accounts/:id', '/operator/accounts/{account}', 'owner'),
  stop('operator-report', '/operator/abuse/:id', '/operator/abuse/none', 'owner'),
  stop('device', '/device', '/device', 'owner'),
  stop('device-approve', '/device', '/device?user_code={device}', 'owner'),
  stop('confirm-address', '/confirm-address', '/confirm-address?token=none', 'owner'),
  stop('recover', '/recover', '/recover', 'owner'),
  ...plain(pages, 'newcomer', '-empty'),
  stop('join', '/join', '/join?invitation={invitation}', 'newcomer'),
  stop('join-wrong', '/join', '/join?invitation=none', 'newcomer'),
  stop('guest', '/', '/', 'guest'),
  stop('leaving', '/', '/', 'leaver'),
  stop('terms', '/terms', '/terms', 'reader'),
]

/** @returns the path and query of a stop */
export function addressOf({ at }: Stop, ids: Readonly<Record<Known, string>>): string {
  return at.replace(/\{(\w+)\}/g, (_whole, name: Known) => encodeURIComponent(ids[name]))
}

/**
 * The dialogs by the file that renders them, as the beginning of their title or of its last part: what the walk must
 * have opened. Those that it cannot open have the reason instead.
 */
export const dialogs: Readonly<Record<string, readonly string[] | string>> = {
  'pages/key-dialogs.tsx': ['Create a key'],
  'pages/keys.tsx': ['Revoke'],
  'pages/service-dialog.tsx': ['Add a service'],
  'pages/member-dialogs.tsx': ['Invite somebody', 'Remove', 'Hand'],
  'pages/reserve-dialog.tsx': ['Reserve a'],
  'pages/move-dialog.tsx': 'it needs a second account of the same person; e2e/suites/names.ts moves a name',
  'pages/names.tsx': ['Release'],
  'pages/domains.tsx': ['Add a domain', 'Remove'],
  'pages/tunnel-rename.tsx': ['Rename'],
  'pages/tunnel-tags.tsx': ['Tags of'],
  'pages/tunnel-code.tsx': ['Open it on a phone'],
  'pages/tunnel-delete.tsx': ['Delete'],
  'pages/tunnels.tsx': 'it needs ticks; e2e/console.test.ts deletes by them',
  'pages/tunnel-connections.tsx': ['Erase kept connections?'],
  'pages/alert-rule-dialogs.tsx': ['Add a rule'],
  'pages/alert-rules.tsx': 'it needs a rule of one tunnel, which the world of the walk has not',
  'pages/maintenance.tsx': ['Announce maintenance'],
  'pages/webhooks.tsx': ['Add a webhook'],
  'pages/webhook.tsx': 'it needs a webhook',
  'parts/secret-once.tsx': 'it needs a key that was just made; e2e/suites/console-keyboard.ts makes one',
  'pages/agent.tsx': ['Stop'],
  'pages/sessions-card.tsx': ['Sign out everywhere?'],
  'pages/audit.tsx': ['Sign-in'],
  'pages/own-data-card.tsx': ['Delete the account', 'Delete your sign-in?'],
  'pages/factor-dialogs.tsx': ['Add a passkey', 'Set up an authenticator app'],
  'pages/security.tsx': 'they are about factors that are there; e2e/suites/factors.ts has them',
  'pages/links-card.tsx': 'it needs a sign-in with another service',
  'pages/confirm.tsx': 'the API asks for it, some minutes after a sign-in; e2e/people/walk.ts answers it',
  'pages/mails.tsx': ['Invitation'],
  'pages/operator-flags.tsx': ['Who has', 'Stop'],
  'pages/operator-account-flags.tsx': ['for one account'],
  'pages/operator-relays.tsx': ['Close', 'Drain this relay?'],
  'pages/operator-retention.tsx': ['Place a legal hold'],
  'pages/operator-account.tsx': ['Suspend'],
  'pages/operator-report.tsx': 'it needs a report of abuse, which the world of the walk has not',
  'pages/operator-takedown.tsx': 'it needs a tunnel that was searched for',
  'pages/operator-person.tsx': ['Disable'],
  'pages/operator-dialogs.tsx': ['View'],
  'pages/operator-beta.tsx': ['Make a code', 'Revoke this code?', 'Invite the next'],
  'pages/operator-system.tsx': 'it needs a job that has failed for good; standalone/testing makes some',
  'parts/guarded-router.tsx': 'it needs typed text; e2e/console.test.ts types some',
}
