/**
 * Every mail that the service sends: what it has to know, and its words. A job keeps the name and the data, so a mail
 * that waits is sent in the words of the release that sends it.
 */
import { z } from 'zod'
import { roles } from '../../api/schemas/access.ts'
import { abuseTemplates } from './abuse-templates.ts'
import { addressTemplates } from './address-templates.ts'
import { alertTemplates } from './alert-template.ts'
import { declare, quoted, type Template } from './declaring.ts'
import { factorNews, writeFactorNews, writePolicyNews, writeRecoveryLink } from './factor-news.ts'
import { asName, type Content } from './layout.ts'
import { leavingTemplates } from './leaving-templates.ts'
import { moneyTemplates } from './money-templates.ts'
import { termsTemplates } from './terms-template.ts'

/**
 * Why a mail goes out. `asked`: its reader asked for it just now, so it also goes where earlier mails were refused;
 * `essential`: their account or its safety depends on it. All others can be turned off, each purpose by itself.
 */
export const purposes = ['asked', 'essential', 'domains', 'alerts', 'team', 'invitations'] as const
export type Purpose = (typeof purposes)[number]

/** Completes "mails about ...". */
export const purposeWords: Readonly<Record<Purpose, string>> = {
  asked: 'what you ask for',
  essential: 'your account',
  domains: 'the domains of your account',
  alerts: 'trouble with your tunnels',
  team: 'who joins your account',
  invitations: 'invitations into accounts',
}

export function canBeTurnedOff(purpose: Purpose): boolean {
  return purpose !== 'asked' && purpose !== 'essential'
}

const linkSchema = z.object({ link: z.string() })
const domainSchema = z.object({ host: z.string(), link: z.string() })
const doneSchema = z.object({ when: z.string(), from: z.string(), link: z.string() })
const teamSchema = z.object({ account: z.string(), who: z.string(), link: z.string() })
const becauseOfDomain = 'you are an owner of the account that has this domain'

export const templates = {
  'password-reset': declare(
    'asked',
    linkSchema.extend({ isProven: z.boolean() }),
    ({ link, isProven }): Content => ({
      subject: 'Set a new PortTunneler password',
      because: 'somebody asked for a new password for this address',
      parts: [
        'Somebody, hopefully you, asked to set a new password for this address at PortTunneler.',
        { says: 'Open this link within an hour to choose one', link },
        ...(isProven
          ? []
          : [
              'Nobody has confirmed this address before. So the link also ends every API key that was made ' +
                'in its name until now, and takes the tunnels of those keys offline: whoever made them may ' +
                'not have been you.',
            ]),
        'If it was not you, there is nothing to do: your password stays as it is.',
      ],
    }),
  ),
  'account-link': declare(
    'asked',
    linkSchema,
    ({ link }): Content => ({
      subject: 'Your PortTunneler account',
      because: 'somebody asked for an account for this address',
      parts: [
        'Somebody, hopefully you, asked for a PortTunneler account for this address.',
        { says: 'Open this link within an hour to choose a password, which makes the account', link },
        'If it was not you, there is nothing to do: without the link no account is made.',
      ],
    }),
  ),
  'account-known': declare(
    'asked',
    linkSchema,
    ({ link }): Content => ({
      subject: 'You have a PortTunneler account',
      because: 'somebody asked for an account for this address',
      parts: [
        'Somebody, hopefully you, asked for a PortTunneler account for this address, which has one already.',
        { says: 'Sign in here, or ask there for a new password if you have forgotten yours', link },
        'If it was not you, there is nothing to do: your account stays as it is.',
      ],
    }),
  ),
  'wait-list-proof': declare(
    'asked',
    linkSchema,
    ({ link }): Content => ({
      subject: 'Your place on the waiting list',
      because: 'somebody put this address on the waiting list',
      parts: [
        'Somebody, hopefully you, put this address on the waiting list of PortTunneler.',
        { says: 'Open this link within seven days to confirm it', link },
        'If it was not you, there is nothing to do: without the link the address is forgotten.',
      ],
    }),
  ),
  'wait-list-invite': declare(
    'asked',
    linkSchema.extend({ day: z.string() }),
    ({ link, day }): Content => ({
      subject: 'Your invitation to PortTunneler',
      because: 'you asked for a place in the beta',
      parts: [
        'You asked for a place in the beta of PortTunneler, and here it is.',
        { says: `Open this link before ${day} (UTC) to make your account`, link },
        'The link is for one account. If you no longer want one, there is nothing to do.',
      ],
    }),
  ),
  'password-changed': declare(
    'essential',
    doneSchema,
    ({ when, from, link }): Content => ({
      subject: 'Your PortTunneler password was changed',
      because: 'the password of this address was changed',
      parts: [
        `Your password was changed at ${when}, from the network address ${placeOf(from)}. All ` +
          'other sessions have ended.',
        'If it was you, there is nothing to do.',
        { says: 'If it was not you, set a new password at once, and end the API keys too', link },
      ],
    }),
  ),
  'sign-in-new': declare(
    'essential',
    doneSchema.extend({ device: z.string() }),
    ({ when, from, device, link }): Content => ({
      subject: 'New sign-in to PortTunneler',
      because: 'somebody signed in with this address from a new place',
      parts: [
        `Somebody signed in with this address at ${when}: ${asName(device)}, from the network address ` +
          `${placeOf(from)}. Nobody has signed in from this device or this network in the last 90 days.`,
        'If it was you, there is nothing to do.',
        { says: 'If it was not you, end that session here, then change your password', link },
      ],
    }),
  ),
  'key-created': declare(
    'essential',
    doneSchema.extend({ name: z.string() }),
    ({ when, from, name, link }): Content => ({
      subject: `New API key: ${quoted(name)}`,
      because: 'an API key was made in your name',
      parts: [
        `The key ${quoted(name)} was made in your name at ${when}, from the network address ${placeOf(from)}.`,
        'If that was you, or ptun login on one of your machines, there is nothing to do.',
        { says: 'If it was not you, revoke it here, then change your password', link },
      ],
    }),
  ),
  'sign-in-linked': declare(
    'essential',
    doneSchema.extend({ name: z.string() }),
    ({ when, from, name, link }): Content => ({
      subject: `You can sign in with ${asName(name)} now`,
      because: 'a sign-in service was linked to your account',
      parts: [
        `An account at ${asName(name)} was linked to you at ${when}, from the network address ${placeOf(from)}. ` +
          'Whoever has it can sign in as you.',
        'If it was you, there is nothing to do.',
        { says: 'If it was not you, remove it here, set a new password and sign out everywhere', link },
      ],
    }),
  ),
  'sign-in-removed': declare(
    'essential',
    doneSchema.extend({ name: z.string() }),
    ({ when, from, name, link }): Content => ({
      subject: `You no longer sign in with ${asName(name)}`,
      because: 'a sign-in service was removed from your account',
      parts: [
        `An account at ${asName(name)} was removed from your ways to sign in at ${when}, from the network ` +
          `address ${placeOf(from)}.`,
        'If it was you, there is nothing to do.',
        { says: 'If it was not you, set a new password and sign out everywhere', link },
      ],
    }),
  ),
  'domain-failing': declare(
    'domains',
    domainSchema,
    ({ host, link }): Content => ({
      subject: `The record of ${host} is gone`,
      because: becauseOfDomain,
      parts: [
        `The name servers of ${host} no longer have the record that proves that it is yours. It still ` +
          'leads to your tunnel. After three days it gets no new certificates, after seven days it ' +
          'leads nowhere.',
        { says: 'What to do: put the record back. It is shown here', link },
      ],
    }),
  ),
  'domain-suspended': declare(
    'domains',
    domainSchema,
    ({ host, link }): Content => ({
      subject: `${host} is suspended`,
      because: becauseOfDomain,
      parts: [
        `The record of ${host} has been gone for three days, so it gets no new certificates. Seven ` +
          'days after it went, the host no longer leads to your tunnel.',
        { says: 'What to do: put the record back. It is shown here', link },
      ],
    }),
  ),
  'domain-lost': declare(
    'domains',
    domainSchema,
    ({ host, link }): Content => ({
      subject: `${host} belongs to another account now`,
      because: becauseOfDomain,
      parts: [
        `Your record of ${host} was gone, and another account has proved with a record of its own ` +
          'that the host is theirs. It does not lead to your tunnel any more.',
        'What to do: nothing, if you did this. Otherwise find out who can change the DNS zone of this domain.',
        { says: 'Your domains', link },
      ],
    }),
  ),
  invitation: declare(
    'invitations',
    z.object({ link: z.string(), account: z.string(), by: z.string(), role: z.enum(roles) }),
    ({ link, account, by, role }): Content => ({
      subject: `Invitation to ${quoted(account)} at PortTunneler`,
      because: `${by} wrote this address into an invitation`,
      parts: [
        `${by} invites you to the PortTunneler account ${quoted(account)}, with the role "${role}".`,
        { says: 'Open this link within a week, and sign in with this address', link },
        'If you do not know who that is, there is nothing to do: without you nothing happens.',
      ],
    }),
  ),
  'member-joined': declare(
    'team',
    teamSchema,
    ({ account, who, link }): Content => ({
      subject: `${who} joined ${quoted(account)}`,
      because: 'you may manage the members of this account',
      parts: [
        `${who} accepted an invitation and is a member of the PortTunneler account ${quoted(account)} now.`,
        { says: 'See the members, their roles and who invited them', link },
      ],
    }),
  ),
  'member-removed': declare(
    'essential',
    teamSchema,
    ({ account }): Content => ({
      subject: `You are no longer a member of ${quoted(account)}`,
      because: 'somebody who may manage the members of this account removed you',
      parts: [
        `Your membership in the PortTunneler account ${quoted(account)} was ended.`,
        'The API keys that you made there no longer work, and the tunnels that they served are ' +
          'offline. Your own account and other memberships are as before.',
      ],
    }),
  ),
  'account-suspended': declare(
    'essential',
    z.object({ account: z.string(), link: z.string() }),
    ({ account, link }): Content => ({
      subject: `${quoted(account)} is suspended`,
      because: 'you are an owner of this account',
      parts: [
        `The operator of the service has suspended the PortTunneler account ${quoted(account)}. ` +
          'Its tunnels are offline and its keys are refused until that ends.',
        'What to do: write to the operator of the service, who can say why.',
        { says: 'The service', link },
      ],
    }),
  ),
  'account-viewed': declare(
    'essential',
    teamSchema,
    ({ account, who, link }): Content => ({
      subject: `An operator looked at ${quoted(account)}`,
      because: 'you are an owner of this account, or the member as whom they looked',
      parts: [
        `An operator of the service has looked at the PortTunneler account ${quoted(account)}` +
          `${who === '' ? '' : ` as ${who} sees it`}. They could read its pages, but change nothing, and saw no keys.`,
        'The audit log says who it was, when, why, and what they read. If you asked for help, that was it.',
        { says: 'The account', link },
      ],
    }),
  ),
  'member-factor': declare('essential', z.object({ account: z.string(), link: z.string() }), writePolicyNews),
  'factor-recovery': declare('asked', linkSchema, writeRecoveryLink),
  'factor-news': declare(
    'essential',
    z.object({
      news: z.enum(factorNews),
      name: z.string(),
      when: z.string(),
      from: z.string(),
      link: z.string(),
    }),
    writeFactorNews,
  ),
  'member-owner': declare(
    'essential',
    teamSchema,
    ({ account, who, link }): Content => ({
      subject: `${who} is an owner of ${quoted(account)} now`,
      because: 'you are an owner of this account',
      parts: [
        `${who} was made an owner of the PortTunneler account ${quoted(account)}, and may do ` +
          'everything there, such as close it.',
        { says: 'If nobody of you meant that, change it here', link },
      ],
    }),
  ),
  ...leavingTemplates,
  ...moneyTemplates,
  ...termsTemplates,
  ...alertTemplates,
  ...addressTemplates,
  ...abuseTemplates,
} as const

/** Inside the service there is no address. */
function placeOf(from: string): string {
  return from === '' ? 'unknown' : from
}

export type TemplateName = keyof typeof templates
export const templateNames = Object.keys(templates) as [TemplateName, ...TemplateName[]]

/** One of the mails with what it has to know. */
export type Letter = {
  readonly [N in TemplateName]: {
    readonly template: N
    readonly data: z.infer<(typeof templates)[N]['schema']>
  }
}[TemplateName]

/** @param data is checked, because it comes back from the store */
export function writeLetter(name: TemplateName, data: unknown): Content {
  const { schema, write } = templates[name] as unknown as Template<unknown>
  return write(schema.parse(data))
}
