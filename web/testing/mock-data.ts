/** What the mock server knows: an account, tunnels of every state and kind, keys. Ids are made from small numbers. */
import { permissions } from '@porttunneler/shared/api/schemas/access'
import type { Key, Me } from '@porttunneler/shared/api/schemas/accounts'
import type { Billing } from '@porttunneler/shared/api/schemas/billing'
import type { Plans } from '@porttunneler/shared/api/schemas/plans'
import type { Account } from '@porttunneler/shared/api/schemas/service'
import type { Holder, Tunnel } from '@porttunneler/shared/api/schemas/tunnels'

type MockPrefix = 'usr' | 'acc' | 'key' | 'tun' | 'agt' | 'alr' | 'mnt' | 'whk' | 'dlv'
export function mockId(prefix: MockPrefix, number: number): string {
  return `${prefix}_${String(number).padStart(26, '0')}`
}

export const me: Me = {
  user: mockId('usr', 1),
  email: 'dev@example.com',
  emailVerified: true,
  account: mockId('acc', 1),
  accountName: 'dev@example.com',
  role: 'owner',
  scopes: [],
  permissions: [...permissions],
  plan: 'free',
  limits: {
    tunnelsOnline: 3,
    reservedHosts: 1,
    reservedPorts: 0,
    domains: 1,
    transferBytesMonth: 5_000_000_000,
    connectionsPerMinute: 100,
  },
}

export const account: Account = {
  id: me.account,
  name: me.accountName,
  plan: me.plan,
  status: 'active',
  createdAt: Date.UTC(2026, 0, 1),
  transfer: {
    from: Date.UTC(2026, 10, 1),
    to: Date.UTC(2026, 11, 1),
    usedBytes: 4_150_000_000,
    limitBytes: me.limits.transferBytesMonth,
    percent: 83,
    state: 'near',
    countedAt: Date.UTC(2026, 10, 23, 12),
  },
}

export const nothingSold: Billing = { isOn: false, state: 'free', plan: me.plan }

export const plans: Plans = {
  version: 1,
  taxBehavior: 'exclusive',
  items: [
    {
      name: me.plan,
      title: 'Free',
      limits: { ...me.limits, tunnelsDefined: 25, connectionsMax: 200, keys: 10, auditDays: 7 },
      features: [],
      prices: {},
      sellsTransfer: false,
    },
  ],
}

const day = 86_400_000

export function mockTunnels(nowMs: number): Tunnel[] {
  const tunnel = (
    number: number,
    rest: Omit<Tunnel, 'id' | 'revision' | 'createdAt' | 'updatedAt'>,
  ): Tunnel => ({
    id: mockId('tun', number),
    revision: 1,
    createdAt: nowMs - number * day,
    updatedAt: nowMs - number * day,
    ...rest,
  })
  const holder = (number: number, state: Holder['state']): Holder => ({
    agent: mockId('agt', number),
    since: nowMs - number * 3_600_000,
    state,
  })
  const http = (name: string) => ({
    id: `host:${name}.localhost`,
    url: `http://${name}.localhost:8081`,
    host: `${name}.localhost`,
    port: 8081,
  })
  return [
    tunnel(1, {
      name: 'demo',
      kind: 'http',
      policy: {},
      tags: ['prod', 'team:web', 'europe'],
      state: 'degraded',
      why: {
        cause: '1 of its 2 agents have not been heard for a minute; the others serve its visitors.',
        cure: 'Look at the machines of the agents that are away, or wait until their leases end.',
        code: 'PT-4107',
      },
      agents: 'many',
      holders: [holder(1, 'online'), holder(3, 'away')],
      endpoint: http('demo'),
    }),
    tunnel(2, {
      name: 'postgres',
      kind: 'tcp',
      policy: { allow: ['203.0.113.0/24', '2001:db8::/32'], connectionsMax: 20 },
      state: 'healthy',
      why: {
        cause: 'An agent serves it, and its upstream takes connections.',
        since: nowMs - 3_600_000,
      },
      agents: 'one',
      holders: [holder(1, 'online')],
      endpoint: {
        id: 'tcp:main:20431',
        url: 'tcp://tunnels.example.com:20431',
        host: 'tunnels.example.com',
        port: 20431,
      },
    }),
    tunnel(3, {
      name: 'a-long-name-for-a-preview-of-branch-4711',
      kind: 'http',
      policy: {},
      state: 'upstream_failing',
      why: {
        cause:
          'Nothing listens at the upstream. The machine of the agent refused the connection to the local port.',
        cure: 'Start your program, or correct the port. The tunnel stays up and the next visitor is tried again.',
        code: 'PT-6040',
        since: nowMs - 600_000,
      },
      agents: 'one',
      holders: [{ ...holder(2, 'failing'), code: 'PT-6040' }],
      endpoint: http('a-long-name-for-a-preview-of-branch-4711'),
    }),
    tunnel(4, {
      name: 'old-ssh',
      kind: 'tcp',
      policy: {},
      state: 'never_used',
      why: {
        cause: 'No agent has served it yet.',
        cure: 'Start it with your own port in place of 5432: ptun tcp 5432 --name old-ssh',
        since: nowMs - 4 * day,
      },
      agents: 'one',
      holders: [],
    }),
  ]
}

export function mockKeys(nowMs: number): Key[] {
  return [
    {
      id: mockId('key', 1),
      name: 'ptun on laptop',
      scopes: ['read', 'tunnels'],
      createdAt: nowMs - 3 * day,
      lastUsedDay: new Date(nowMs).toISOString().slice(0, 10),
      hint: 'x4Qf',
    },
    {
      id: mockId('key', 2),
      name: 'build server',
      scopes: ['read', 'tunnels', 'admin'],
      createdAt: nowMs - 90 * day,
      hint: 'Zp0a',
    },
  ]
}

/** A thousand, of which fifty are served and one fails: the newest are made first, as the server lists them. */
export function manyTunnels(nowMs: number): Tunnel[] {
  const samples = mockTunnels(nowMs)
  const healthy = samples.find(({ state }) => state === 'healthy')
  const unused = samples.find(({ state }) => state === 'never_used')
  if (!healthy || !unused) throw new Error('the samples have no such tunnel')
  return Array.from({ length: 1_000 }, (_, at): Tunnel => {
    const name = `service-${at}`
    const times = { createdAt: nowMs - at * 60_000, updatedAt: nowMs - at * 60_000 }
    const like = at >= 700 && at < 750 ? healthy : unused
    const one = { ...like, ...times, id: mockId('tun', at + 1), name }
    if (at === 720)
      return {
        ...one,
        state: 'upstream_failing',
        why: { cause: 'The upstream refused the connection.', code: 'PT-6040', since: nowMs - 240_000 },
      }
    return at % 50 === 10 ? { ...one, state: 'offline', why: { cause: 'No agent serves it now.' } } : one
  })
}
