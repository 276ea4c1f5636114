/** Every mail as people get it. `samples/` has them for reading; `npx vitest -u` writes them anew. */
import { expect, test } from 'vitest'
import { asName, renderMail } from './layout.ts'
import {
  canBeTurnedOff,
  type Letter,
  type TemplateName,
  templateNames,
  templates,
  writeLetter,
} from './templates.ts'

const link = 'https://tunnel.example.com/page?token=ptw_0123456789'
const forgotten = 'https://tunnel.example.com/forgot-password'
const domain = { host: 'app.example.com', link: 'https://tunnel.example.com/domains' }
const team = { account: 'Lab', who: 'bob@example.com', link: 'https://tunnel.example.com/members' }
const leaving = { account: 'Lab', day: '2026-01-31', link: 'https://tunnel.example.com/account' }
const money = { account: 'Lab', day: '2026-01-31', link: 'https://tunnel.example.com/plans' }
const samples: { readonly [N in TemplateName]: Extract<Letter, { template: N }>['data'] } = {
  'password-reset': { link, isProven: false },
  'account-link': { link },
  'account-known': { link: 'https://tunnel.example.com/sign-in' },
  'wait-list-proof': { link },
  'wait-list-invite': { link, day: '2026-01-31' },
  'password-changed': { when: '2026-01-31 12:00 UTC', from: '192.0.2.1', link: forgotten },
  'sign-in-new': {
    when: '2026-01-31 12:00 UTC',
    from: '192.0.2.1',
    device: 'Firefox on Windows',
    link: 'https://tunnel.example.com/account',
  },
  'address-new': { link },
  'address-old': {
    address: 'new@example.com',
    when: '2026-01-31 12:00 UTC',
    from: '192.0.2.1',
    link,
    stop: 'https://tunnel.example.com/stop-address?token=ptx_0123456789',
  },
  'address-changed': {
    address: 'new@example.com',
    when: '2026-01-31 12:00 UTC',
    from: '192.0.2.1',
    link: 'https://tunnel.example.com/account',
  },
  'key-created': { when: '2026-01-31 12:00 UTC', from: '', name: 'ptun on laptop', link },
  'sign-in-linked': { when: '2026-01-31 12:00 UTC', from: '192.0.2.1', name: 'Google', link },
  'sign-in-removed': { when: '2026-01-31 12:00 UTC', from: '192.0.2.1', name: 'Google', link },
  alerts: {
    account: 'Lab',
    items: [
      {
        title: 'Tunnel is down',
        name: 'shop',
        news: 'begun',
        cause: 'Its agent has not been heard for a minute. Its address is kept for it.',
        cure: 'Look at the machine that ran ptun: whether it is on, has a network, and ptun still runs.',
        code: 'PT-2113',
        since: 1_769_860_800_000,
        endedAt: 0,
      },
      {
        title: 'Upstream is failing',
        name: 'api',
        news: 'unsteady',
        cause: 'Nothing listens at the upstream.',
        cure: 'Start it.',
        code: '',
        since: 1_769_860_800_000,
        endedAt: 0,
      },
      {
        title: 'Tunnel is down',
        name: 'blog',
        news: 'ended',
        cause: '',
        cure: '',
        code: '',
        since: 1_769_860_800_000,
        endedAt: 1_769_864_400_000,
      },
    ],
    more: 0,
    link: 'https://tunnel.example.com/alerts',
  },
  'domain-failing': domain,
  'domain-suspended': domain,
  'domain-lost': domain,
  invitation: { link, account: 'Lab', by: 'ada@example.com', role: 'developer' },
  'member-joined': team,
  'member-removed': team,
  'account-suspended': { account: 'Lab', link: 'https://tunnel.example.com' },
  'account-viewed': { account: 'Lab', who: 'bob@example.com', link: 'https://tunnel.example.com/account' },
  'member-owner': team,
  'account-leaving': leaving,
  'account-leaving-soon': leaving,
  'account-left': leaving,
  'account-kept': leaving,
  'billing-open': money,
  'billing-limited': money,
  'billing-trial': money,
  'billing-second': money,
  'billing-moved': money,
  'billing-moving': { ...money, today: '9.00 USD a month', later: '11.00 USD a month' },
  'billing-lost': money,
  'person-leaving': { day: '2026-01-31', link: 'https://tunnel.example.com', isAlone: false, isSoon: false },
  'person-left': { link: 'https://tunnel.example.com' },
  'person-stays': { link: 'https://tunnel.example.com' },
  'terms-new': {
    documents: [
      { name: 'Terms of use', version: '2026-02', url: 'https://example.com/terms' },
      { name: 'Rules of acceptable use', version: '2', url: 'https://example.com/use' },
      { name: 'Privacy notice', version: '2026-02', url: 'https://example.com/privacy' },
    ],
    day: '2026-01-31',
    link: 'https://tunnel.example.com/terms',
  },
  'reports-waiting': {
    count: 1,
    address: 'shop.tunnels.example.com',
    link: 'https://tunnel.example.com/operator/abuse',
  },
  'report-answer': { address: 'shop.tunnels.example.com', outcome: 'acted' },
  'abuse-news': {
    news: 'taken_down',
    account: 'Lab',
    name: 'shop',
    reason: 'It showed a false sign-in page of a bank.',
    link: 'https://tunnel.example.com/tunnels/tun_0',
  },
  'member-factor': { account: 'Lab', link: 'https://tunnel.example.com/security' },
  'factor-recovery': { link },
  'factor-news': {
    news: 'passkey-added',
    name: 'Phone',
    when: '2026-01-31 12:00 UTC',
    from: '192.0.2.1',
    link: 'https://tunnel.example.com/security',
  },
}

function render(name: TemplateName, data: unknown = samples[name]) {
  const { purpose } = templates[name]
  const offUrl = canBeTurnedOff(purpose) ? `https://tunnel.example.com/v1/mails/off/${purpose}.0` : undefined
  return renderMail(writeLetter(name, data), { consoleUrl: 'https://tunnel.example.com', offUrl })
}

test.each(templateNames)('mail: %s, as text and as HTML', async (name) => {
  const { subject, text, html } = render(name)
  await expect(`Subject: ${subject}\n\n${text}`).toMatchFileSnapshot(`samples/${name}.txt`)
  await expect(html).toMatchFileSnapshot(`samples/${name}.html`)
  expect(subject.length).toBeLessThan(80)
  for (const line of text.split('\n')) expect(line.includes('http') || line.length <= 76).toBe(true)
  // Nothing is loaded, tracked or run, and no colour is set that a dark background would swallow.
  expect(html).not.toMatch(/<(?:img|script|link|iframe|style)|src=|background|(?<!-)color:|@import|url\(/i)
})

test('mail: data of the wrong shape is refused before anybody gets it', () => {
  expect(() => render('password-reset', { link: 7 })).toThrow()
})

test('mail: markup in data is text', () => {
  const { html, text } = render('domain-failing', { host: '<b onclick="x">&', link: 'https://x/"><script>' })
  expect(html).not.toMatch(/<b[ >]|<script/)
  expect(html).toContain('&lt;b onclick=&quot;x&quot;&gt;&amp;')
  expect(text).toContain('<b onclick="x">&')
})

test.each([
  ['ACME Inc.', 'ACME Inc.'],
  ['Visit https://evil.example/x now', 'Visit https evil example x now'],
  ['evil.example', 'evil example'],
  ['mail me@evil.example', 'mail me evil example'],
  ['two\r\nBcc: eve@example.com', 'two Bcc eve example com'],
  ['a\u202Eb\u200Bc\u0000d\u2028e\uD800', 'a b c d e�'],
  ['  ', ''],
  ['ж'.repeat(100), `${'ж'.repeat(59)}…`],
  ['👩‍👩‍👧', '👩 👩 👧'],
])('mail: the name %j comes into a mail as %j', (name, shown) => {
  expect(asName(name)).toBe(shown)
})
