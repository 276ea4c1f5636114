/**
 * The pages of somebody who is signed in: one row each, with its address, its name in the navigation and the palette,
 * who may see it, and how it is loaded. The router, the rail, the tabs and the palette all read this table.
 */
import type { Permission } from '@porttunneler/shared/api/schemas/access'
import type { Me } from '@porttunneler/shared/api/schemas/accounts'
import type { ComponentType } from 'preact'
import { TunnelPage } from './pages/tunnel.tsx'
import { TunnelsPage } from './pages/tunnels.tsx'
import type { IconName } from './parts/icon.tsx'

export type Load = () => Promise<ComponentType>

export type Place = {
  readonly path: string
  readonly title: string
  readonly icon?: IconName
  /** Where the navigation has it; without one it is reached from other pages. */
  readonly group?: 'main' | 'settings' | 'operator'
  /** Which other addresses lie below it, for the mark of where one is. */
  readonly below?: RegExp
  /** The page that it lies below: its crumbs lead up there. */
  readonly above?: string
  readonly needs?: Permission
  /** Only for people, and not for an operator's view of an account. */
  readonly isPersonal?: boolean
} & ({ readonly load: Load } | { readonly Page: ComponentType<{ id: string }> })

export const places: readonly Place[] = [
  {
    path: '/',
    title: 'Tunnels',
    icon: 'tunnel',
    group: 'main',
    below: /^\/(new|tunnels\/.+)$/,
    Page: TunnelsPage,
  },
  {
    path: '/new',
    title: 'New tunnel',
    above: '/',
    icon: 'plus',
    needs: 'tunnels.write',
    load: async () => (await import('./pages/new-tunnel.tsx')).NewTunnelPage,
  },
  { path: '/tunnels/:id', title: 'Tunnel', above: '/', Page: TunnelPage },
  {
    path: '/agents',
    title: 'Agents',
    icon: 'device',
    group: 'main',
    below: /^\/agents\/.+$/,
    load: async () => (await import('./pages/agents.tsx')).AgentsPage,
  },
  {
    path: '/agents/:id',
    title: 'Agent',
    above: '/agents',
    load: async () => (await import('./pages/agent.tsx')).AgentPage,
  },
  {
    path: '/names',
    title: 'Names',
    icon: 'tag',
    group: 'main',
    load: async () => (await import('./pages/names.tsx')).NamesPage,
  },
  {
    path: '/domains',
    title: 'Domains',
    icon: 'globe',
    group: 'main',
    load: async () => (await import('./pages/domains.tsx')).DomainsPage,
  },
  {
    path: '/usage',
    title: 'Usage',
    icon: 'chart',
    group: 'main',
    needs: 'usage.read',
    load: async () => (await import('./pages/usage.tsx')).UsagePage,
  },
  {
    path: '/alerts',
    title: 'Alerts',
    icon: 'alert',
    group: 'main',
    needs: 'tunnels.read',
    below: /^\/alerts\/.+$/,
    load: async () => (await import('./pages/alerts.tsx')).AlertsPage,
  },
  {
    path: '/alerts/:id',
    title: 'Alert',
    above: '/alerts',
    needs: 'tunnels.read',
    load: async () => (await import('./pages/alert.tsx')).AlertPage,
  },
  {
    path: '/alerts/webhooks/:id',
    title: 'Webhook',
    above: '/alerts',
    needs: 'account.update',
    load: async () => (await import('./pages/webhook.tsx')).WebhookPage,
  },
  {
    path: '/keys',
    title: 'API keys',
    icon: 'key',
    group: 'settings',
    needs: 'keys.own',
    load: async () => (await import('./pages/keys.tsx')).KeysPage,
  },
  {
    path: '/members',
    title: 'Members',
    icon: 'people',
    group: 'settings',
    load: async () => (await import('./pages/members.tsx')).MembersPage,
  },
  {
    path: '/plans',
    title: 'Plan and invoices',
    icon: 'card',
    group: 'settings',
    load: async () => (await import('./pages/plans.tsx')).PlansPage,
  },
  {
    path: '/security',
    title: 'Security',
    icon: 'shield',
    group: 'settings',
    isPersonal: true,
    load: async () => (await import('./pages/security.tsx')).SecurityPage,
  },
  {
    path: '/sessions',
    title: 'Sessions',
    icon: 'device',
    group: 'settings',
    isPersonal: true,
    load: async () => (await import('./pages/sessions.tsx')).SessionsPage,
  },
  {
    path: '/audit',
    title: 'Audit log',
    icon: 'list',
    group: 'settings',
    needs: 'audit.read',
    load: async () => (await import('./pages/audit.tsx')).AuditPage,
  },
  {
    path: '/account',
    title: 'Account settings',
    icon: 'sliders',
    group: 'settings',
    load: async () => (await import('./pages/account.tsx')).AccountPage,
  },
  {
    path: '/data',
    title: 'Data',
    icon: 'box',
    group: 'settings',
    isPersonal: true,
    load: async () => (await import('./pages/own-data.tsx')).OwnDataPage,
  },
  {
    path: '/mails',
    title: 'Mails',
    above: '/account',
    load: async () => (await import('./pages/mails.tsx')).MailsPage,
  },
  {
    path: '/operator/relays',
    title: 'Relays',
    icon: 'tunnel',
    group: 'operator',
    load: async () => (await import('./pages/operator-relays.tsx')).OperatorRelaysPage,
  },
  {
    path: '/operator',
    title: 'Accounts',
    icon: 'people',
    group: 'operator',
    below: /^\/operator\/(?:people|accounts)\/.+$/,
    load: async () => (await import('./pages/operator.tsx')).OperatorPage,
  },
  {
    path: '/operator/revenue',
    title: 'Revenue',
    icon: 'card',
    group: 'operator',
    load: async () => (await import('./pages/operator-revenue.tsx')).OperatorRevenuePage,
  },
  {
    path: '/operator/activity',
    title: 'Activity',
    icon: 'chart',
    group: 'operator',
    load: async () => (await import('./pages/operator-activity.tsx')).OperatorActivityPage,
  },
  {
    path: '/operator/abuse',
    title: 'Abuse',
    icon: 'alert',
    group: 'operator',
    below: /^\/operator\/abuse\/.+$/,
    load: async () => (await import('./pages/operator-abuse.tsx')).OperatorAbusePage,
  },
  {
    path: '/operator/abuse/:id',
    title: 'Report',
    above: '/operator/abuse',
    group: 'operator',
    load: async () => (await import('./pages/operator-report.tsx')).OperatorReportPage,
  },
  {
    path: '/operator/security',
    title: 'Events',
    icon: 'shield',
    group: 'operator',
    load: async () => (await import('./pages/operator-security.tsx')).OperatorSecurityPage,
  },
  {
    path: '/operator/logs',
    title: 'Log',
    icon: 'list',
    group: 'operator',
    load: async () => (await import('./pages/operator-logs.tsx')).OperatorLogsPage,
  },
  {
    path: '/operator/system',
    title: 'System',
    icon: 'system',
    group: 'operator',
    load: async () => (await import('./pages/operator-system.tsx')).OperatorSystemPage,
  },
  {
    path: '/operator/retention',
    title: 'Retention',
    icon: 'box',
    group: 'operator',
    load: async () => (await import('./pages/operator-retention.tsx')).OperatorRetentionPage,
  },
  {
    path: '/operator/compliance',
    title: 'Compliance',
    icon: 'list',
    group: 'operator',
    load: async () => (await import('./pages/operator-compliance.tsx')).OperatorCompliancePage,
  },
  {
    path: '/operator/people/:id',
    title: 'Person',
    above: '/operator',
    group: 'operator',
    load: async () => (await import('./pages/operator-person.tsx')).OperatorPersonPage,
  },
  {
    path: '/operator/accounts/:id',
    title: 'Account',
    above: '/operator',
    group: 'operator',
    load: async () => (await import('./pages/operator-account.tsx')).OperatorAccountPage,
  },
]

/** Whether the person, in the account they look at, has use for the page. */
export function maySee({ group, needs, isPersonal }: Place, me: Me): boolean {
  if (group === 'operator') return me.operator === true
  if (isPersonal && me.email === undefined) return false
  return needs === undefined || me.permissions.includes(needs)
}

/** Those that have an entry in the navigation of that group. */
export function placesOf(group: NonNullable<Place['group']>, me: Me | undefined): readonly Place[] {
  return places.filter(
    (place) =>
      place.group === group && !place.path.includes(':') && (!me ? group === 'main' : maySee(place, me)),
  )
}

export function isHere({ path, below }: Place, now: string): boolean {
  return path === now || below?.test(now) === true
}

/** The pages above it, the highest first. */
export function crumbsOf(place: Place): readonly Place[] {
  const parent = places.find(({ path }) => path === place.above)
  return parent ? [...crumbsOf(parent), parent] : []
}
