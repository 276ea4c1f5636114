/** Mails about accounts and people that are being deleted. Part of the table in templates.ts. */
import { z } from 'zod'
import { declare, quoted } from './declaring.ts'
import type { Content } from './layout.ts'

const accountSchema = z.object({ account: z.string(), day: z.string(), link: z.string() })
const becauseOfAccount = 'you are a member of this account'

export const leavingTemplates = {
  'account-leaving': declare(
    'essential',
    accountSchema,
    ({ account, day, link }): Content => ({
      subject: `${quoted(account)} will be deleted`,
      because: becauseOfAccount,
      parts: [
        `An owner has asked to delete the PortTunneler account ${quoted(account)}. Its tunnels are offline and its ` +
          `keys are refused from now on. On ${day} (UTC) everything in it is erased.`,
        'People who belong to no other account are erased with it.',
        { says: 'Until then an owner can undo it, or export the data', link },
      ],
    }),
  ),
  'account-leaving-soon': declare(
    'essential',
    accountSchema,
    ({ account, day, link }): Content => ({
      subject: `${quoted(account)} is deleted in three days`,
      because: becauseOfAccount,
      parts: [
        `Everything in the PortTunneler account ${quoted(account)} is erased on ${day} (UTC), because an owner asked ` +
          'for it.',
        { says: 'Until then an owner can undo it, or export the data', link },
      ],
    }),
  ),
  'account-left': declare(
    'essential',
    accountSchema,
    ({ account }): Content => ({
      subject: `${quoted(account)} is deleted`,
      because: becauseOfAccount,
      parts: [
        `The PortTunneler account ${quoted(account)} is closed for good, and what was in it is being erased.`,
        'If you belong to no other account, your sign-in is erased with it, and this is the last mail to you.',
      ],
    }),
  ),
  'account-kept': declare(
    'essential',
    accountSchema,
    ({ account, link }): Content => ({
      subject: `${quoted(account)} will not be deleted`,
      because: becauseOfAccount,
      parts: [
        `The deletion of the PortTunneler account ${quoted(account)} was undone. Its keys and tunnels work again.`,
        { says: 'The account', link },
      ],
    }),
  ),
  'person-leaving': declare(
    'essential',
    // Jobs of older releases omit `isSoon`.
    z.object({ day: z.string(), link: z.string(), isAlone: z.boolean(), isSoon: z.boolean().default(false) }),
    ({ day, link, isAlone, isSoon }): Content => ({
      subject: isSoon
        ? 'Your PortTunneler sign-in is deleted in three days'
        : 'Your PortTunneler sign-in will be deleted',
      because: 'there is a sign-in with this address',
      parts: isAlone
        ? [
            `You belong to no PortTunneler account any more, so your sign-in will be erased on ${day} (UTC).`,
            'It stays if you accept an invitation until then, or make an account of your own.',
            { says: 'Sign in', link },
          ]
        : [
            'You asked to delete your PortTunneler sign-in. Your keys are refused from now on, and the tunnels that ' +
              `they served are offline. On ${day} (UTC) what is stored about you is erased, and so are accounts ` +
              'that nobody else uses.',
            {
              says: 'If it was not you, or you have changed your mind, sign in until then and undo it',
              link,
            },
          ],
    }),
  ),
  'person-left': declare(
    'essential',
    z.object({ link: z.string() }),
    ({ link }): Content => ({
      subject: 'Your PortTunneler sign-in is deleted',
      because: 'there was a sign-in with this address',
      parts: [
        'What was stored about you is being erased now. This is the last mail to you.',
        { says: 'If you come again, you are a stranger there', link },
      ],
    }),
  ),
  'person-stays': declare(
    'essential',
    z.object({ link: z.string() }),
    ({ link }): Content => ({
      subject: 'Your PortTunneler sign-in stays',
      because: 'its deletion was undone',
      parts: [
        'The deletion of your PortTunneler sign-in was undone, by you, or because you became the last owner of an ' +
          'account that other people use. Your keys and memberships work again.',
        { says: 'If it was not you, sign in and change your password', link },
      ],
    }),
  ),
} as const
