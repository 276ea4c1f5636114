/** Alerts, their rules and webhooks for the mock server, in lengths that strain a layout. */
import { me, mockId } from './mock-data.ts'

export function alertPage() {
  const now = Date.now()
  const began = { at: now - 900_000, what: 'began' }
  return {
    items: [
      {
        id: mockId('alr', 1),
        kind: 'tunnel.upstream',
        title: 'Upstream failing',
        subject: mockId('tun', 3),
        name: 'a-long-name-for-a-preview-environment-42',
        state: 'firing',
        unsteady: true,
        since: now - 1_200_000,
        last: now - 600_000,
        toldAt: now - 840_000,
        cause: 'The program behind the tunnel refused the connection.',
        cure: 'Start it, or check the port of the tunnel.',
        code: 'PT-5001',
        timeline: [began, { at: now - 600_000, what: 'failed again: it is unsteady' }],
      },
      {
        id: mockId('alr', 2),
        kind: 'quota.near',
        title: 'Transfer nearly used',
        subject: me.account,
        name: '80 % of this period',
        state: 'resolved',
        unsteady: false,
        since: now - 9_000_000,
        last: now - 4_000_000,
        endedAt: now - 4_000_000,
        cause: 'Most of the transfer of this period is used.',
        timeline: [began],
      },
    ],
  }
}

export function oneAlert() {
  return alertPage().items[0]
}

export function alertCount() {
  return { firing: 12, acknowledged: 1, newest: oneAlert() }
}

const minuteMs = 60_000
export const rules = {
  items: [
    { kind: 'tunnel.down', title: 'Tunnel is down', on: true, forMs: 5 * minuteMs, own: false },
    { kind: 'tunnel.upstream', title: 'Upstream is failing', on: true, forMs: 10 * minuteMs, own: true },
    { kind: 'quota.near', title: 'Most of the transfer is used', on: false, own: true },
    { kind: 'payment.failed', title: 'Payment failed', on: true, own: false },
    {
      kind: 'tunnel.down',
      title: 'Tunnel is down',
      tunnel: mockId('tun', 3),
      on: true,
      forMs: minuteMs,
      own: true,
    },
    {
      kind: 'tunnel.down',
      title: 'Tunnel is down',
      tag: 'preview',
      on: false,
      forMs: 5 * minuteMs,
      own: true,
    },
  ],
  revision: 4,
}

export function windows() {
  const now = Date.now()
  return {
    items: [
      {
        id: mockId('mnt', 1),
        from: now - minuteMs,
        until: now + 60 * minuteMs,
        note: 'new disk',
        by: me.user,
      },
      {
        id: mockId('mnt', 2),
        tunnel: mockId('tun', 3),
        from: now + 600 * minuteMs,
        until: now + 700 * minuteMs,
        note: 'Move of the database to the machine in the other building, with everything that depends on it',
        by: mockId('usr', 9),
      },
    ],
  }
}

export function webhooks() {
  const now = Date.now()
  return {
    items: [
      {
        id: mockId('whk', 1),
        url: `https://hooks.slack.com/services/${'T0123456789/B0123456789/'.repeat(3)}abc`,
        format: 'slack',
        state: 'active',
        createdAt: now - 90_000 * 1_000,
        rotating: true,
        failingSince: now - 3_600_000,
        lastStatus: 503,
        lastAt: now - 120_000,
      },
      {
        id: mockId('whk', 2),
        url: 'https://alerts.example.com/in',
        format: 'standard',
        state: 'disabled',
        createdAt: now - 9_000_000,
        rotating: false,
      },
    ],
  }
}

export function deliveries() {
  const now = Date.now()
  const one = { type: 'alerts.changed', createdAt: now - 3_600_000, lastAt: now - 60_000 }
  const reason =
    'It answered 503. <html><body>Service Temporarily Unavailable, please try again later</body></html>'
  return {
    items: [
      {
        ...one,
        id: mockId('dlv', 1),
        state: 'waiting',
        tries: 3,
        status: 503,
        reason,
        nextAt: now + 600_000,
      },
      {
        ...one,
        id: mockId('dlv', 2),
        state: 'dead',
        tries: 8,
        status: 0,
        reason: 'The name does not exist.',
      },
      { ...one, id: mockId('dlv', 3), state: 'delivered', tries: 1, status: 204 },
    ],
  }
}
