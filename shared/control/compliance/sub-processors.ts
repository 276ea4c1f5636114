/** The companies and services that get data of this service, by what is set up here; for the compliance report. */
import type { Control } from '../control.ts'

export type SubProcessor = { readonly name: string; readonly what: string; readonly why: string }

type Parts = Pick<
  Control,
  'identity' | 'payments' | 'dns' | 'mail' | 'certificates' | 'settings' | 'proxyNetworks'
>

/** Each only if it is used. Where this runs on your own machine, whoever runs that machine comes on top. */
export function subProcessors(control: Parts): readonly SubProcessor[] {
  const { identity, payments, dns, mail, certificates, settings } = control
  const all: readonly (SubProcessor | false)[] = [
    identity.kind === 'firebase' && {
      name: 'Google Cloud',
      what: 'all data of the service: database, messages, logs, sign-in',
      why: 'it runs the service',
    },
    payments.kind !== 'none' && {
      name: 'Stripe',
      what: 'mail address, card, amounts',
      why: 'payment',
    },
    dns.kind !== 'none' && {
      name: 'Cloudflare',
      what: 'host names and addresses of relays',
      why: 'DNS records',
    },
    mail.isAbsent !== true &&
      !mail.kept && {
        name: 'the mail server that is set up (mail.smtp)',
        what: 'mail addresses and the text of mails',
        why: 'mail',
      },
    ...certificates.issuers.map(({ name }) => ({
      name: `certificate issuer ${name}`,
      what: 'host names, which it publishes',
      why: 'TLS',
    })),
    ...(settings.services ?? []).map(({ name }) => ({
      name: `sign-in service ${name}`,
      what: 'that somebody signs in here',
      why: 'sign-in, for those who choose it',
    })),
  ]
  return all.filter((one) => one !== false)
}
