/** Mails about the change of a person's address. Part of the table in templates.ts. */
import { z } from 'zod'
import { declare } from './declaring.ts'
import { asName, type Content } from './layout.ts'

const changeSchema = z.object({ address: z.string(), when: z.string(), from: z.string(), link: z.string() })

export const addressTemplates = {
  'address-new': declare(
    'asked',
    z.object({ link: z.string() }),
    ({ link }): Content => ({
      subject: 'Confirm your new address at PortTunneler',
      because: 'somebody wants to use this address for their account',
      parts: [
        'Somebody, hopefully you, asked to use this address for their PortTunneler account from now on.',
        { says: 'Open this link within a day, signed in as before', link },
        'The change is complete when the mail to the old address was answered, too. If it was not you, there is ' +
          'nothing to do: without the link nothing changes.',
      ],
    }),
  ),
  'address-old': declare(
    'essential',
    changeSchema.extend({ stop: z.string() }),
    ({ address, when, from, link, stop }): Content => ({
      subject: 'Is your PortTunneler account to have another address?',
      because: 'somebody who is signed in as you asked to change the address of your account',
      parts: [
        `At ${when} somebody who is signed in as you, from the network address ${from || 'unknown'}, asked to change ` +
          `the address of your account to ${asName(address)}.`,
        { says: 'If it was you, open this link within a day, signed in as before', link },
        { says: 'If it was not you, stop it here, then set a new password', link: stop },
        'Without the first link nothing changes.',
      ],
    }),
  ),
  'address-changed': declare(
    'essential',
    changeSchema,
    ({ address, when, from, link }): Content => ({
      subject: 'The address of your PortTunneler account has changed',
      because: 'this was or is the address of your account',
      parts: [
        `Since ${when} the address of your account is ${asName(address)}. The last confirmation came from the network ` +
          `address ${from || 'unknown'}. Sessions and API keys go on.`,
        'If it was you, there is nothing to do. If it was not, write to the operator of the service at once.',
        { says: 'Your account', link },
      ],
    }),
  ),
}
