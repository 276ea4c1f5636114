/** Mails about abuse: to owners of a tunnel, to operators, to who reported it. Part of the table in templates.ts. */
import { z } from 'zod'
import { declare, quoted } from './declaring.ts'
import type { Content } from './layout.ts'

export const abuseNews = ['taken_down', 'restored', 'warned'] as const

const newsSchema = z.object({
  news: z.enum(abuseNews),
  /** The account's name, and the tunnel's. */
  account: z.string(),
  name: z.string(),
  /** In the operator's words; '' = none. */
  reason: z.string(),
  link: z.string(),
})

export const abuseTemplates = {
  'abuse-news': declare('essential', newsSchema, ({ news, account, name, reason, link }): Content => {
    const which = `the tunnel ${quoted(name)} of the PortTunneler account ${quoted(account)}`
    const because = 'you are an owner of the account that has this tunnel'
    const said = reason === '' ? [] : [`The operator says: ${asText(reason)}`]
    if (news === 'restored')
      return {
        subject: `Your tunnel ${quoted(name)} may be served again`,
        because,
        parts: [
          `The operator of the service has put back ${which}. ptun serves it again by itself within ten minutes; ` +
            'start it if it does not run.',
          { says: 'The tunnel', link },
        ],
      }
    if (news === 'warned')
      return {
        subject: `Your tunnel ${quoted(name)} was reported for abuse`,
        because,
        parts: [
          `Somebody has reported ${which} to the operator of the service. It goes on for now.`,
          ...said,
          'What to do: look at what it serves, and end what should not be there. If the report is wrong, answer the ' +
            'operator. Otherwise the operator may take the tunnel down, or suspend the account.',
          { says: 'The tunnel', link },
        ],
      }
    return {
      subject: `Your tunnel ${quoted(name)} was taken down`,
      because,
      parts: [
        `The operator of the service has taken down ${which}. Its visitors are told so, and no agent can serve it. ` +
          'Your other tunnels go on.',
        ...said,
        'What to do: end what caused it, then write to the operator of the service, who can put the tunnel back. Its ' +
          'address is kept for it.',
        { says: 'The tunnel', link },
      ],
    }
  }),
  'reports-waiting': declare(
    'essential',
    z.object({ count: z.int(), address: z.string(), link: z.string() }),
    ({ count, address, link }): Content => ({
      subject:
        count === 1 ? `Reported for abuse: ${asText(address)}` : `${count} addresses are reported for abuse`,
      because: 'you are an operator of this service',
      parts: [
        count === 1
          ? `Somebody has reported ${asText(address)} for abuse, and nobody has decided it yet.`
          : `${count} addresses are reported for abuse and wait for a decision, ${asText(address)} the latest.`,
        { says: 'What people wrote, whose it is, and what can be done about it', link },
      ],
    }),
  ),
  'report-answer': declare(
    'asked',
    z.object({ address: z.string(), outcome: z.enum(['acted', 'dismissed']) }),
    ({ address, outcome }): Content => ({
      subject: `Your report about ${asText(address)}`,
      because: 'somebody left this address in a report, for the answer',
      parts: [
        `You reported ${asText(address)} to the operator of this service, and asked for an answer.`,
        outcome === 'acted'
          ? 'An operator has looked at it and acted on it. Thank you: without you it would have gone on.'
          : 'An operator has looked at it, and found nothing there that the rules of this service forbid.',
        'We cannot say who has the address. If it goes on, or begins again, report it again.',
      ],
    }),
  ),
} as const

/** One line, without characters that turn its direction or hide. */
function asText(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ')
    .slice(0, 600)
}
