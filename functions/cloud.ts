/**
 * The control plane on Google Cloud: the platform of SDKs, and the domain over it. Opening it calls nobody, so an
 * instance starts as fast as its code loads; at their first use clients connect and KMS unwraps the keys, which `warm`
 * brings forward. One instance serves many requests at once and shares all of it.
 */
import { systemClock } from '@porttunneler/shared/base/clock'
import type { Log } from '@porttunneler/shared/base/log'
import type { Telemetry } from '@porttunneler/shared/base/telemetry'
import { senseBackups } from '@porttunneler/shared/control/alerts/backup-sense'
import { postHeartbeat } from '@porttunneler/shared/control/alerts/heartbeat'
import { acmeIssuers } from '@porttunneler/shared/control/certificates/issuers'
import { type Certificates, noCertificates } from '@porttunneler/shared/control/certificates/role'
import { type Control, makeControl } from '@porttunneler/shared/control/control'
import type { Payments } from '@porttunneler/shared/control/money/payments'
import { noPayments } from '@porttunneler/shared/control/money/payments-none'
import type { BackupStatus } from '@porttunneler/shared/control/operator/act'
import type { Mail, OnBackgroundError, RelayIdentity } from '@porttunneler/shared/control/platform'
import { queryTable } from '@porttunneler/shared/control/query-table'
import {
  type EnrolledRelayIdentity,
  enrolledRelayIdentity,
} from '@porttunneler/shared/control/relay-enrolment'
import { cloudflareAsker } from '@porttunneler/shared/dns/cloudflare-networks'
import { openInquiryDesk } from '@porttunneler/shared/dns/look'
import { openLookUps } from '@porttunneler/shared/dns/look-ups'
import { openPublicPost } from '@porttunneler/shared/dns/public-post'
import { openPayments } from '@porttunneler/shared/payments/open'
import { openFirestoreBackups } from './platform/backups.firestore.ts'
import { lazyBus } from './platform/bus.lazy.ts'
import { type FirebaseAccounts, openFirebaseAccounts } from './platform/firebase-accounts.ts'
import { type AccessToken, type GoogleRest, openGoogleRest } from './platform/google-rest.ts'
import { type FirebaseIdentity, firebaseIdentity } from './platform/identity.firebase.ts'
import { openKmsKeyVault } from './platform/key-vault.kms.ts'
import { openGoogleLogs } from './platform/logs.google.ts'
import { noMail } from './platform/mail.none.ts'
import { openComputeGroups } from './platform/relay-groups.compute.ts'
import { googleRelayIdentity } from './platform/relay-identity.google.ts'
import { openFirestoreStore } from './platform/store.firestore.ts'
import type { Settings } from './settings.ts'
import { openZones } from './zones.ts'

const clock = systemClock

export type Cloud = {
  readonly control: Control
  readonly settings: Settings
  readonly identity: FirebaseIdentity
  readonly accounts: FirebaseAccounts
  /** For relays outside Google's. */
  readonly enrolment: EnrolledRelayIdentity
  /** How old the newest backup is; undefined on emulators, which make none. */
  backups(): Promise<BackupStatus | undefined>
  /** Does now what the first request would otherwise wait for. */
  warm(): Promise<void>
  close(): Promise<void>
}

export type CloudOptions = {
  /** For KMS and Compute Engine, where there is no metadata server. */
  readonly accessToken?: () => Promise<AccessToken>
  readonly telemetry?: Telemetry | undefined
}

export function openCloud(settings: Settings, log: Log, options: CloudOptions = {}): Cloud {
  const { environment, database, kmsKey, emulatedGoogle, resolvers, trustResolvers } = settings
  const { projectId, emulators } = environment
  const onBackgroundError: OnBackgroundError = (task, error) => log.error({ error }, `${task} failed`)
  const store = openFirestoreStore({ projectId, database, queries: queryTable, clock, random: Math.random })
  const bus = lazyBus(async () => {
    const { openPubsubBus } = await import('./platform/bus.pubsub.ts')
    const provisions = emulators.pubsub !== undefined
    return openPubsubBus({ project: projectId, clock, random: Math.random, onBackgroundError, provisions })
  })
  const rest = openGoogleRest({ clock, ...options, ...(emulatedGoogle && { metadataUrl: emulatedGoogle }) })
  const enrolment = enrolledRelayIdentity({ store, clock })
  const accounts = openFirebaseAccounts({ projectId, clock })
  const isEmulated = emulators.auth !== undefined
  const identity = firebaseIdentity({ projectId, accounts, store, clock, isEmulated })
  const post = openPublicPost()
  const backups = openFirestoreBackups({ projectId, database, rest, clock })
  const watched = emulators.firestore === undefined ? backups : async () => undefined
  const platform = {
    store,
    bus,
    identity,
    relayIdentity: relayIdentities(enrolment, settings, rest),
    mail: mailOf(settings),
    certificates: certificatesOf(settings),
    inquiries: openInquiryDesk({ resolvers, trustResolvers, clock }),
    dns: openZones(settings, clock),
    askNetworks: cloudflareAsker(),
    post,
    senses: [senseBackups(watched)],
    ...(settings.heartbeat !== undefined && { heartbeat: postHeartbeat(settings.heartbeat, { post, log }) }),
    payments: paymentsOf(settings),
    ...logsOf(settings, options),
    ...(options.telemetry && { telemetry: options.telemetry }),
    vault: openKmsKeyVault({ rest, key: kmsKey, ...(emulatedGoogle && { kmsUrl: emulatedGoogle }) }),
  }
  const control = makeControl(platform, { clock, random: Math.random, log, settings: settings.control })
  return {
    control,
    settings,
    identity,
    accounts,
    enrolment,
    backups: watched,
    warm: async () => void (await control.signer.publicKeys()),
    close: async () => {
      await bus.close()
      await store.close()
    },
  }
}

/** A search of many lines takes longer than other calls. */
const searchMs = 20_000

/** Emulators of Google have no log. */
function logsOf({ environment, emulatedGoogle }: Settings, options: CloudOptions) {
  if (environment.emulators.firestore !== undefined) return {}
  const { projectId } = environment
  const metadata = emulatedGoogle && { metadataUrl: emulatedGoogle }
  const rest = openGoogleRest({ clock, deadlineMs: searchMs, ...options, ...metadata })
  return { logs: openGoogleLogs({ projectId, rest, clock }) }
}

/** Few functions send mails, so its code is loaded with the first one. */
function mailOf({ mail, hasMail }: Settings): Mail {
  if (!mail) return hasMail ? { send: noMail.send } : noMail
  return {
    async send(message) {
      const { openSmtpMail } = await import('@porttunneler/shared/mail/smtp')
      await openSmtpMail(mail, clock).send(message)
    },
  }
}

function certificatesOf({ acme, resolvers, control: { version } }: Settings): Certificates {
  if (!acme) return noCertificates
  return {
    issuers: acmeIssuers(acme.issuers, { email: acme.email, version }),
    ...openLookUps({ resolvers, clock }),
  }
}

/** Relays on Google's VMs prove themselves by Google's token, others by the credential of their enrolment. */
function relayIdentities(
  enrolment: EnrolledRelayIdentity,
  { environment, control, relayGroups, emulatedGoogle }: Settings,
  rest: GoogleRest,
): RelayIdentity {
  const { projectId } = environment
  const computeUrl = emulatedGoogle && { computeUrl: emulatedGoogle }
  const google = googleRelayIdentity({
    projectId,
    audience: control.issuer,
    groups: openComputeGroups({ projectId, groups: relayGroups, rest, clock, ...computeUrl }),
    clock,
    ...(emulatedGoogle && { jwksUrl: `${emulatedGoogle}/jwks` }),
  })
  return {
    kind: 'google',
    verify: (token) => (token.startsWith('ptc_') ? enrolment.verify(token) : google.verify(token)),
  }
}

function paymentsOf({ stripeKey: key, emulatedStripe }: Settings): Payments {
  if (!key) return noPayments
  if (emulatedStripe === undefined) return openPayments({ key })
  const { hostname: host, port } = new URL(emulatedStripe)
  return openPayments({ key, server: { host, port, protocol: 'http' } })
}
