/** The mock server's answers for the pages beside tunnels: usage, audit log, sessions, members, mails. */

import { accountChoicesSchema, membersSchema } from '@porttunneler/shared/api/schemas/accounts'
import { agentsSchema } from '@porttunneler/shared/api/schemas/agents'
import {
  alertCountSchema,
  alertSchema,
  rulesSchema,
  windowsSchema,
} from '@porttunneler/shared/api/schemas/alerts'
import { auditEntrySchema } from '@porttunneler/shared/api/schemas/audit'
import { pageSchema } from '@porttunneler/shared/api/schemas/common'
import { factorsSchema } from '@porttunneler/shared/api/schemas/factors'
import { mailWishesSchema } from '@porttunneler/shared/api/schemas/mails'
import { usageAnswerSchema } from '@porttunneler/shared/api/schemas/service'
import { signInsSchema } from '@porttunneler/shared/api/schemas/sign-ins'
import { deliverySchema, webhooksSchema } from '@porttunneler/shared/api/schemas/webhooks'
import { alertCount, alertPage, deliveries, oneAlert, rules, webhooks, windows } from './mock-alerts.ts'
import { me, mockId } from './mock-data.ts'

const hourMs = 3_600_000

function usage(url: URL) {
  const [from, to] = [Number(url.searchParams.get('from')), Number(url.searchParams.get('to'))]
  const hours = Array.from({ length: Math.ceil((to - from) / hourMs) }, (_, at) => {
    const wave = 1.2 + Math.sin(at / 4) + 0.4 * Math.sin(at)
    return {
      hour: from + at * hourMs,
      in: Math.round(4e7 * wave),
      out: Math.round(1.3e8 * wave),
      opened: 40 + at,
      refused: at % 7,
    }
  })
  const total = hours.reduce(
    (sum, one) => ({
      in: sum.in + one.in,
      out: sum.out + one.out,
      opened: sum.opened + one.opened,
      refused: sum.refused + one.refused,
    }),
    { in: 0, out: 0, opened: 0, refused: 0 },
  )
  const share = (tunnel: string, part: number) => ({
    tunnel,
    in: Math.round(total.in * part),
    out: Math.round(total.out * part),
    opened: Math.round(total.opened * part),
    refused: 3,
  })
  return {
    from,
    to,
    total,
    hours,
    tunnels: [share(mockId('tun', 1), 0.7), share(mockId('tun', 2), 0.25), share(mockId('tun', 99), 0.05)],
  }
}

function audit({ searchParams }: URL) {
  // Nobody has looked at this account.
  if (searchParams.get('action')?.startsWith('view.')) return { items: [] }
  const actions = [
    'tunnel.updated',
    'key.created',
    'auth.signed_in',
    'account.renamed',
    'member.invited',
    'auth.failed',
  ]
  return {
    items: Array.from({ length: 24 }, (_, at) => ({
      id: `aud_${String(at).padStart(26, '0')}`,
      at: Date.now() - at * 47 * 60_000,
      actor: at % 5 === 4 ? 'system' : mockId('usr', 1),
      action: actions[at % actions.length] ?? '',
      target: mockId(at % 2 ? 'key' : 'tun', at + 1),
      from: at % 5 === 4 ? '' : '203.0.113.7',
      userAgent: 'Firefox',
      details: at % 3 === 0 ? { name: 'demo', agents: 'one' } : {},
      seal: at,
    })),
    next: 'more',
  }
}

function agents() {
  const tunnel = (number: number, name: string, state: 'online' | 'failing' | 'away') => ({
    tunnel: mockId('tun', number),
    name,
    state,
    ...(state === 'failing' && { code: 'PT-5001' }),
  })
  const relays = (second: boolean) => [
    { relay: 'relay-1', connected: true },
    { relay: 'relay-2', connected: second },
  ]
  const common = { system: 'linux', from: '203.0.113.7', key: mockId('key', 1) }
  return {
    items: [
      {
        ...common,
        id: mockId('agt', 2),
        host: 'build-7',
        version: '0.0.9',
        since: Date.now() - 3_000_000,
        state: 'failing',
        tunnels: [tunnel(3, 'a-long-name-for-a-preview-environment-42', 'failing')],
        relays: relays(true),
      },
      {
        ...common,
        id: mockId('agt', 3),
        since: Date.now() - 90_000_000,
        lastSeenAt: Date.now() - 240_000,
        state: 'away',
        tunnels: [tunnel(1, 'demo', 'away')],
        relays: [],
      },
      {
        ...common,
        id: mockId('agt', 1),
        host: 'workstation',
        version: '0.1.0',
        since: Date.now() - 9_000_000,
        state: 'online',
        tunnels: [tunnel(1, 'demo', 'online'), tunnel(2, 'postgres', 'online')],
        relays: relays(false),
      },
    ],
  }
}

type Schema = { parse(value: unknown): unknown }
/** By their paths: the schema, and what is sent. */
export const more: Readonly<Record<string, readonly [Schema, (url: URL) => unknown]>> = {
  '/v1/usage': [usageAnswerSchema, usage],
  '/v1/agents': [agentsSchema, agents],
  '/v1/alerts': [pageSchema(alertSchema), alertPage],
  '/v1/alerts/count': [alertCountSchema, alertCount],
  [`/v1/alerts/${mockId('alr', 1)}`]: [alertSchema, oneAlert],
  '/v1/alert-rules': [rulesSchema, () => rules],
  '/v1/maintenance': [windowsSchema, windows],
  '/v1/webhooks': [webhooksSchema, webhooks],
  [`/v1/webhooks/${mockId('whk', 1)}/deliveries`]: [pageSchema(deliverySchema), deliveries],
  '/v1/audit': [pageSchema(auditEntrySchema), audit],
  '/v1/accounts': [
    accountChoicesSchema,
    () => ({
      items: [{ id: me.account, name: me.accountName, plan: 'free', status: 'active', role: 'owner' }],
    }),
  ],
  '/v1/members': [
    membersSchema,
    () => ({
      items: [
        {
          id: me.user,
          email: me.email,
          role: 'owner',
          since: Date.UTC(2026, 0, 1),
          status: 'active',
          factor: true,
        },
        {
          id: `svc_${'0'.repeat(26)}`,
          name: 'build server',
          role: 'developer',
          since: Date.UTC(2026, 5, 1),
          status: 'active',
        },
      ],
    }),
  ],
  '/v1/person/mails': [
    mailWishesSchema,
    () => ({
      items: [
        { purpose: 'domains', about: 'domains', essential: false, off: false },
        { purpose: 'security', about: 'the safety of your sign-in', essential: true, off: false },
      ],
      refused: false,
    }),
  ],
  '/v1/sign-ins': [
    signInsSchema,
    () => ({
      items: [
        {
          id: 'a'.repeat(64),
          current: true,
          device: 'Firefox on Linux',
          from: '203.0.113.7',
          method: 'password',
          signedInAt: Date.now() - 5e6,
          lastUsedAt: Date.now(),
        },
        {
          id: 'b'.repeat(64),
          current: false,
          device: 'Safari on iPhone',
          from: '198.51.100.9',
          method: 'password',
          signedInAt: Date.now() - 5e8,
          lastUsedAt: Date.now() - 4e7,
        },
      ],
    }),
  ],
  '/v1/factors': [factorsSchema, () => ({ shown: false, passkeys: [], codes: { left: 0, createdAt: 0 } })],
}
