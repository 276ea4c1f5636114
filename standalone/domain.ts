/** The rules of shared/control on the platform of one machine: SQLite, local bus and sign-in, a key file, mail. */

import type { TermsDocument } from '@porttunneler/shared/api/schemas/terms'
import type { Clock } from '@porttunneler/shared/base/clock'
import { linkTo } from '@porttunneler/shared/base/console-pages'
import type { Log } from '@porttunneler/shared/base/log'
import type { Telemetry } from '@porttunneler/shared/base/telemetry'
import { postHeartbeat } from '@porttunneler/shared/control/alerts/heartbeat'
import type { Heartbeat, Sense } from '@porttunneler/shared/control/alerts/sense'
import { acmeIssuers, type IssuerSettings } from '@porttunneler/shared/control/certificates/issuers'
import { type Certificates, noCertificates } from '@porttunneler/shared/control/certificates/role'
import { makeControl, type Settings } from '@porttunneler/shared/control/control'
import { kick } from '@porttunneler/shared/control/jobs/kick'
import type { Logs } from '@porttunneler/shared/control/logs/role'
import { linkOf } from '@porttunneler/shared/control/mail/links'
import { noDns } from '@porttunneler/shared/control/own-records'
import type { OnBackgroundError } from '@porttunneler/shared/control/platform'
import { queryTable } from '@porttunneler/shared/control/query-table'
import type { Registration } from '@porttunneler/shared/control/registration'
import { enrolledRelayIdentity } from '@porttunneler/shared/control/relay-enrolment'
import { cloudflareAsker } from '@porttunneler/shared/dns/cloudflare-networks'
import { type DeskOptions, openInquiryDesk } from '@porttunneler/shared/dns/look'
import { openLookUps } from '@porttunneler/shared/dns/look-ups'
import { openPublicPost } from '@porttunneler/shared/dns/public-post'
import { resolversSchema } from '@porttunneler/shared/dns/resolvers'
import type { SmtpSettings } from '@porttunneler/shared/mail/settings'
import { openSmtpMail } from '@porttunneler/shared/mail/smtp'
import { type BillingSettings, paymentsOf } from './billing-settings.ts'
import type { DataFolder } from './data-folder.ts'
import { type Authority, localCertificates } from './local-authority.ts'
import { openLocalBus } from './platform/bus.local.ts'
import { localIdentity } from './platform/identity.local.ts'
import { openFileKeyVault } from './platform/key-vault.file.ts'
import { openLogMail } from './platform/mail.log.ts'
import type { ProviderSettings } from './platform/oidc/settings.ts'
import { openSqliteStore } from './platform/store.sqlite.ts'
import { writeAlertFigures } from './service-senses.ts'

export type AlertOptions = {
  readonly privateWebhooks: boolean
  readonly heartbeat?: string | undefined
  readonly senses: readonly Sense[]
}

export type DomainOptions = {
  readonly folder: DataFolder
  readonly consoleUrl: string
  /** Default: mails become files in the data folder. */
  readonly smtp?: SmtpSettings | undefined
  /** Who may make an account, and with which plan. */
  readonly registration: Registration
  /** Default: no. */
  readonly provenMail?: boolean
  readonly plan: string
  /** Documents that people accept. Default: none. */
  readonly terms?: readonly TermsDocument[] | undefined
  readonly version: string
  /** Services to sign in with. Default: none. */
  readonly providers?: readonly ProviderSettings[] | undefined
  /** Default: public resolvers. */
  readonly dns?: Pick<DeskOptions, 'resolvers' | 'trustResolvers'>
  /** undefined: no certificates are ordered. */
  readonly acme?: { readonly email: string; readonly issuers: readonly IssuerSettings[] } | undefined
  readonly authority?: Authority | undefined
  /** undefined: nothing is sold. */
  readonly billing?: BillingSettings | undefined
  /** How operators hear of trouble with the service, and where webhooks may go. */
  readonly alerts?: AlertOptions | undefined
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
  /** undefined: nobody can search the log. */
  readonly logs?: Logs | undefined
  /** undefined: nothing is sent by OpenTelemetry. */
  readonly telemetry?: Telemetry | undefined
}

/** @throws store.read_only, store.corrupt, store.newer, store.full, vault.unreadable */
export function openDomain(options: DomainOptions, onBackgroundError: OnBackgroundError) {
  const { folder, clock, random, log } = options
  const store = openSqliteStore(folder.file('store.db'), { queries: queryTable, clock, random })
  const vault = openFileKeyVault(folder.file('master.key'))
  const mail = options.smtp
    ? openSmtpMail(options.smtp, clock)
    : openLogMail({ folder: folder.file('mail'), clock, log })
  const bus = openLocalBus({ clock, random, onBackgroundError })
  const settings = settingsOf(options)
  const issuer = settings.issuer
  const identity = localIdentity({
    store,
    vault,
    clock,
    issuer,
    resetUrl: (token) => linkOf(settings, 'password-reset', { token }),
    registerUrl: (token) => linkOf(settings, 'account-link', { token }),
    signInUrl: linkOf(settings, 'account-known'),
    providers: options.providers ?? [],
    returnUrl: (provider) => `${linkTo(settings, 'signInWith')}/${provider}`,
    hasTerms: (settings.terms ?? []).length > 0,
    kick: (ids) => kick({ bus, log }, ids),
  })
  const relayIdentity = enrolledRelayIdentity({ store, clock })
  const { dns = { resolvers: resolversSchema.parse(undefined) } } = options
  const inquiries = openInquiryDesk({ ...dns, clock })
  const platform = {
    store,
    bus,
    identity,
    relayIdentity,
    mail,
    vault,
    inquiries,
    certificates: certificatesOf(options, dns.resolvers),
    dns: noDns,
    askNetworks: cloudflareAsker(),
    ...watching(options),
    payments: paymentsOf(options.billing),
    ...(options.logs && { logs: options.logs }),
    ...(options.telemetry && { telemetry: options.telemetry }),
  }
  return {
    control: makeControl(platform, { clock, random, log, settings }),
    store,
    bus,
    identity,
    relayIdentity,
    close: async () => {
      await bus.close()
      await store.close()
    },
  }
}

function watching({ alerts, folder, log }: DomainOptions) {
  const isPrivate = alerts?.privateWebhooks ?? false
  const post = openPublicPost(isPrivate ? { mayReach: () => true } : {})
  const { heartbeat: url } = alerts ?? {}
  const tell = url === undefined ? undefined : postHeartbeat(url, { post, log })
  return {
    post,
    isPrivatePost: isPrivate,
    senses: alerts?.senses ?? [],
    heartbeat: async (look: Heartbeat, signal: AbortSignal) => {
      writeAlertFigures(folder.path, look)
      await tell?.(look, signal)
    },
  }
}

function certificatesOf(
  { acme, authority, clock, version }: DomainOptions,
  resolvers: DeskOptions['resolvers'],
): Certificates {
  if (authority) return localCertificates(authority, clock)
  if (!acme) return noCertificates
  return {
    issuers: acmeIssuers(acme.issuers, { email: acme.email, version }),
    ...openLookUps({ resolvers, clock }),
  }
}

function settingsOf(options: DomainOptions): Settings {
  const { consoleUrl, version, plan, registration, provenMail = false, providers = [], terms = [] } = options
  const addresses = { issuer: consoleUrl, consoleUrl, docsUrl: consoleUrl }
  const services = providers.map(({ id, name }) => ({ id, name }))
  return { ...addresses, version, registration, provenMail, defaultPlan: plan, services, terms }
}
