/** What people are mailed about their factors. Each mail says what to do if it was somebody else. */
import { asName, type Content } from './layout.ts'

const words = {
  'passkey-added': ['A passkey was added', 'The passkey $name was added to your sign-in'],
  'passkey-removed': ['A passkey was removed', 'The passkey $name was removed from your sign-in'],
  'app-added': ['An authenticator app was added', 'An authenticator app was added to your sign-in'],
  'app-removed': ['The authenticator app was removed', 'The authenticator app was removed from your sign-in'],
  'codes-renewed': [
    'New recovery codes',
    'New recovery codes were made for your sign-in, and the old ones are void',
  ],
  'code-used': ['A recovery code was used', 'Somebody signed in as you with one of your recovery codes'],
  guesses: [
    'Somebody guesses the codes of your app',
    'Somebody who knows your password tried ten wrong codes of your authenticator app within an hour',
  ],
  'recovery-begun': [
    'Somebody wants to sign in without your second factor',
    'Somebody who knows your password and reads this mailbox says that they lost every second factor. In ' +
      '72 hours they can remove all of yours. The request was made',
  ],
  'recovery-goes-on': [
    'Your second factor can soon be removed',
    'The wait of whoever wants to sign in without your second factor goes on. We looked',
  ],
  'recovery-approved': [
    'The wait for a new second factor was ended',
    'Somebody who runs a team of yours confirmed that you lost your second factor. It can be removed at once. ' +
      'This was done',
  ],
  'recovery-ready': [
    'Your second factor can be removed now',
    'The wait of 72 hours is over, and whoever asked can remove all your second factors within a week. We looked',
  ],
  'recovery-ended': ['The request was stopped', 'The request to remove your second factor was stopped'],
  recovered: [
    'Your second factors were removed',
    'All passkeys, the authenticator app and the recovery codes of your sign-in were removed after the wait',
  ],
  reset: [
    'An operator removed your second factors',
    'All passkeys, the authenticator app and the recovery codes of your sign-in were removed by an operator',
  ],
} as const satisfies Record<string, readonly [subject: string, says: string]>

export type FactorNews = keyof typeof words
export const factorNews = Object.keys(words) as [FactorNews, ...FactorNews[]]

/** These call for an act of the person; the others are for their peace. */
const urgent: ReadonlySet<FactorNews> = new Set(['recovery-begun', 'recovery-goes-on', 'recovery-ready'])

type News = {
  readonly news: FactorNews
  readonly name: string
  readonly when: string
  readonly from: string
  readonly link: string
}

export function writeFactorNews({ news, name, when, from, link }: News): Content {
  const [subject, says] = words[news]
  const where = from === '' ? '' : `, from the network address ${from}`
  return {
    subject: `${subject}: PortTunneler`,
    because: 'it concerns how you sign in',
    parts: [
      `${says.replace('$name', `"${asName(name)}"`)} at ${when}${where}.`,
      'If that was you, there is nothing to do.',
      {
        says: urgent.has(news)
          ? 'If it was not you, sign in and stop it here, then change your password'
          : 'If it was not you, change your password at once, and look at your second factors here',
        link,
      },
    ],
  }
}

export function writePolicyNews({
  account,
  link,
}: {
  readonly account: string
  readonly link: string
}): Content {
  const name = `"${asName(account)}"`
  return {
    subject: `${name} asks for a second factor`,
    because: 'you are a member of this account',
    parts: [
      `The PortTunneler account ${name} now asks each member for a second factor: a passkey or ` +
        'an authenticator app. Without one the console is closed to you there, and after 14 days the API ' +
        'keys that you made stop too.',
      { says: 'Add one here, which takes a minute; if you have one, there is nothing to do', link },
    ],
  }
}

export function writeRecoveryLink({ link }: { readonly link: string }): Content {
  return {
    subject: 'Sign in without your second factor',
    because: 'somebody who knows your password says that they lost every second factor',
    parts: [
      'Somebody, hopefully you, signed in with your password and says that they lost every second factor.',
      { says: 'Open this link within an hour in the same browser. It begins a wait of 72 hours', link },
      'If it was not you, do not open it, and change your password: somebody else knows it.',
    ],
  }
}
