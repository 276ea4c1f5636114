/** Mails about what an account pays for. Part of the table in templates.ts. */
import { z } from 'zod'
import { declare, quoted } from './declaring.ts'
import type { Content } from './layout.ts'

const accountSchema = z.object({ account: z.string(), day: z.string(), link: z.string() })
const because = 'you may decide what this account pays for'

export const moneyTemplates = {
  'billing-open': declare(
    'essential',
    accountSchema,
    ({ account, day, link }): Content => ({
      subject: `An invoice of ${quoted(account)} is open`,
      because,
      parts: [
        `A payment of the PortTunneler account ${quoted(account)} failed. The plan stays until ${day} (UTC); ` +
          'from then on the account has what is free. Until the invoice is paid no transfer beyond the plan is sold.',
        { says: 'Pay it, or change the card, here', link },
      ],
    }),
  ),
  'billing-limited': declare(
    'essential',
    accountSchema,
    ({ account, link }): Content => ({
      subject: `${quoted(account)} has what is free`,
      because,
      parts: [
        `An invoice of the PortTunneler account ${quoted(account)} has been open for a week. The account has the limits of ` +
          'the free plan now, and tunnels above them go offline within 24 hours. Nothing is deleted.',
        { says: 'When the invoice is paid, everything is as before', link },
      ],
    }),
  ),
  'billing-trial': declare(
    'essential',
    accountSchema,
    ({ account, day, link }): Content => ({
      subject: `The trial of ${quoted(account)} ends on ${day}`,
      because,
      parts: [
        `The trial of the PortTunneler account ${quoted(account)} ends on ${day} (UTC), and the plan is charged from then on.`,
        { says: 'To pay nothing, end it here before that day', link },
      ],
    }),
  ),
  'billing-second': declare(
    'essential',
    accountSchema,
    ({ account, link }): Content => ({
      subject: `No second trial for ${quoted(account)}`,
      because,
      parts: [
        `The card or the mail address with which a trial of the PortTunneler account ${quoted(account)} was begun has had ` +
          'one before. The trial was ended, and nothing was charged.',
        { says: 'The plan can be had from its first paid day on', link },
      ],
    }),
  ),
  'billing-moved': declare(
    'essential',
    accountSchema,
    ({ account, link }): Content => ({
      subject: `The plan of ${quoted(account)} has changed`,
      because,
      parts: [
        `The PortTunneler account ${quoted(account)} was moved to its plan as it is offered now. Its limits may be other ` +
          'ones than before; nothing was deleted.',
        { says: 'What the plan has now', link },
      ],
    }),
  ),
  'billing-moving': declare(
    'essential',
    accountSchema.extend({ today: z.string(), later: z.string() }),
    ({ account, day, link, today, later }): Content => ({
      subject: `The plan of ${quoted(account)} will change`,
      because,
      parts: [
        `The plan that the PortTunneler account ${quoted(account)} pays for is offered on other terms now. With its first ` +
          `renewal after ${day} (UTC) it costs ${later}, where it costs ${today} today, and has the limits that are offered then. ` +
          'Until that renewal nothing changes.',
        { says: 'Compare the plans, choose another, or end the subscription here', link },
      ],
    }),
  ),
  'billing-lost': declare(
    'essential',
    accountSchema,
    ({ account, link }): Content => ({
      subject: `The subscription of ${quoted(account)} has ended`,
      because,
      parts: [
        `A payment of the PortTunneler account ${quoted(account)} was disputed, and the bank has taken it back for good. So the ` +
          'subscription that it paid for has ended: the account has what is free, and tunnels above that go offline. Nothing ' +
          'is deleted, and nothing more is charged.',
        'If you or your bank disputed it by mistake, write to whoever runs this service: they can let the account buy again.',
        { says: 'What the account has now', link },
      ],
    }),
  ),
}
