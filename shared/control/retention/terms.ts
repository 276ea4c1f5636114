/**
 * What is stored, how long, why, and what ends it: one row for every collection, and one for every kind of file. Tests
 * hold it against the code (terms.test.ts), so a new collection needs a row. The data map of the compliance report is
 * the same table.
 */

/** Whose data it is. `both`: an account's, and it names people. */
type Whose = 'person' | 'account' | 'both' | 'service'
/**
 * What deletes it. `ttl`: the store, when the time in the document has come (a day later at most in the cloud).
 * `erasure`: the jobs that erase people and accounts. `use`: whoever uses or changes it. `never`: it stays.
 */
type Ending = 'ttl' | 'erasure' | 'use' | 'job' | 'never'

export type Term = {
  readonly whose: Whose
  readonly what: string
  readonly kept: string
  readonly why: string
  readonly endsBy: Ending
  /** A legal hold keeps it beyond its time. Sign-ins and proofs end all the same: they are rights, not records. */
  readonly isHeld: boolean
}

const row =
  (isHeld: boolean) =>
  (whose: Whose, endsBy: Ending, kept: string, what: string, why: string): Term => ({
    whose,
    endsBy,
    kept,
    what,
    why,
    isHeld,
  })
const held = row(true)
const plain = row(false)

const whileThere = 'as long as the account or person is there'

export const terms: { readonly [collection: string]: Term } = {
  users: held('person', 'erasure', whileThere, 'mail address, sign-in services, accepted terms', 'sign-in'),
  identities: held('person', 'erasure', `${whileThere}, then 35 days`, 'id at a sign-in service', 'sign-in'),
  members: held('both', 'erasure', whileThere, 'who belongs to an account, and the role', 'rights'),
  operators: held('person', 'use', 'until the rights are taken away', 'who is an operator', 'rights'),
  passkeys: held('person', 'erasure', whileThere, 'public keys and their names', 'second factor'),
  factors: held('person', 'erasure', whileThere, 'sealed secrets, hashes of codes', 'second factor'),
  signIns: plain('person', 'ttl', '30 days after the last use', 'device, address, times', 'sessions'),
  signInPlaces: held('person', 'erasure', whileThere, 'digests of places of the last 90 days', 'warnings'),
  addressChanges: plain('person', 'ttl', 'a day', 'old and new mail address', 'change of address'),
  mailAddresses: held('person', 'ttl', '180 days after a mail came back', 'bounces, mails off', 'mail'),
  waitList: held('person', 'ttl', '7 to 400 days by state', 'mail address', 'waiting for an invitation'),
  operatorNotes: held('both', 'erasure', whileThere, 'text, who wrote it', 'help to customers'),
  feedback: held('both', 'ttl', '400 days', 'text, who sent it', 'to make the service better'),
  abuseCases: plain('account', 'ttl', '400 days after the last report', 'reports, what was decided', 'abuse'),
  invitations: held('both', 'ttl', 'until it ends', 'mail address, role', 'to join an account'),
  keys: held('both', 'erasure', `${whileThere}, revoked ones too`, 'name, maker, last day of use', 'rights'),
  deviceCodes: plain('both', 'ttl', '15 minutes', 'device name, address', 'sign-in of ptun'),

  accounts: held('account', 'never', 'id, plan and times stay after erasure', 'name, plan', 'bookkeeping'),
  tunnels: held('account', 'erasure', whileThere, 'name, settings, agent', 'the service itself'),
  tunnelNames: held('account', 'erasure', whileThere, 'name', 'names are unique'),
  deletedTunnels: plain('account', 'ttl', '35 days', 'ids', 'late usage'),
  endpoints: held('account', 'use', 'leased, resting or reserved', 'agents and their addresses', 'leases'),
  names: plain('account', 'ttl', '48 hours after it was removed', 'host', 'routing'),
  domains: held('account', 'erasure', whileThere, 'host, findings of the DNS', 'own domains'),
  verified: held('account', 'use', 'as long as the domain is there', 'host', 'a domain has one owner'),
  certificates: held('account', 'erasure', whileThere, 'hosts, chain, sealed key', 'TLS'),
  alerts: held('account', 'ttl', '90 days', 'what failed and when, who closed it', 'alerts'),
  alertRules: held('account', 'use', whileThere, 'rules, pauses and who made them', 'alerts'),
  webhooks: held('account', 'erasure', whileThere, 'address, sealed secrets, who made it', 'alerts'),
  webhookDeliveries: plain('account', 'ttl', '30 days', 'copies of alerts', 'to see what was sent'),
  connections: held(
    'both',
    'ttl',
    'by plan, 30 days at most',
    "visitors' addresses, bytes, times",
    'to find faults',
  ),
  quota: held('account', 'use', 'until the account is closed', 'counts', 'limits of the plan'),
  online: held('account', 'use', 'until the account is closed', 'counts of earlier releases', 'limits'),
  usageHours: held('account', 'ttl', '40 days', 'bytes and connections by hour', 'bills, charts'),
  usageLate: plain('account', 'ttl', '40 days', 'hours that came late', 'bills'),
  usagePeriods: held('account', 'ttl', '400 days after the period', 'sums by hour', 'bills'),
  usageMonths: held('account', 'ttl', '400 days', 'sums by hour and tunnel', 'charts'),
  subscriptions: held('account', 'never', 'for bookkeeping', 'ids at Stripe, plan, periods', 'bills'),
  customers: held('account', 'never', 'for bookkeeping', 'id at Stripe', 'bills'),
  meterReports: plain('account', 'ttl', '400 days', 'megabytes by hour', 'bills'),
  trials: plain('person', 'ttl', '400 days', 'keyed hashes of mailbox and card', 'one trial each'),
  stripeEvents: plain('account', 'ttl', '90 days', 'ids', 'each event counts once'),

  audit: held('both', 'ttl', 'by plan, 7 to 400 days after the seal', 'who did what, from where', 'proof'),
  seals: plain('service', 'never', 'for ever', 'hashes', 'proof that nobody changed the audit log'),
  sealLeaves: plain('service', 'ttl', '400 days', 'ids and hashes', 'proof'),
  auditTallies: plain('both', 'job', 'an hour', 'counts by address', 'they become entries of audit'),
  auditExports: plain('account', 'ttl', '7 days', 'who asked, which span', 'download'),
  auditExportParts: plain('both', 'ttl', '7 days', 'a copy of audit', 'download'),

  spentChallenges: plain('service', 'ttl', '5 minutes', 'hashes', 'each challenge counts once'),
  endedSignIns: plain('person', 'ttl', 'as long as a token lives', 'ids', 'ended sign-ins are refused'),
  rates: plain('service', 'ttl', 'a day at most', 'counts under hashes', 'limits'),
  idempotency: plain('both', 'ttl', 'a day', 'an answer', 'a repeated call changes nothing'),
  operatorViews: plain('both', 'job', 'half an hour', 'who looks at which account', 'support'),
  jobs: plain('both', 'ttl', 'until done; 90 days after failing', 'ids, sealed mails', 'work to do'),
  commands: plain('account', 'ttl', 'a day', 'ids', 'commands to relays'),
  invites: plain('account', 'ttl', '90 days after it ends', 'note, accounts that came', 'beta'),
  cells: plain('service', 'never', 'for ever', 'hosts and ports', 'where tunnels are served'),
  relays: plain('service', 'job', '7 days after it was heard of', 'addresses, load', 'routing'),
  bound: plain('service', 'job', 'with the relay', 'endpoints', 'routing'),
  signingKeys: plain('service', 'job', 'as long as tickets need it', 'sealed keys', 'tickets'),
  signingState: plain('service', 'never', 'for ever', 'when keys turned', 'tickets'),
  serviceSecrets: plain('service', 'never', 'for ever', 'sealed secrets', 'the service itself'),
  flags: plain('account', 'use', 'until it is set anew', 'ids of accounts', 'features'),
  catalogues: plain('service', 'never', 'for ever', 'plans and prices', 'accounts keep their terms'),
  proxyNetworks: plain('service', 'use', 'until read anew', 'networks', 'true addresses of visitors'),
  serviceDays: plain('account', 'ttl', '40 days', 'who carried most', 'running the service'),
  activityDays: plain('service', 'ttl', '400 days', 'counts of accounts by week', 'running the service'),
  serviceMonths: plain('service', 'ttl', '400 days', 'sums by plan', 'running the service'),
  certificateBudgets: plain('service', 'ttl', 'a week at most', 'counts', 'limits of issuers'),
  enrolmentKeys: plain('service', 'ttl', 'a day', 'hashes', 'new relays'),
  relayCredentials: plain('service', 'never', 'for ever', 'hashes', 'relays'),
  enrolledRelays: plain('service', 'never', 'for ever', 'ids', 'relays'),
  holds: plain('both', 'job', 'until it ends', 'id, reason, who set it', 'legal hold'),
  goneMonths: plain('service', 'ttl', '36 months', 'counts', 'the report of what went'),

  // The standalone server's own; in the cloud Firebase Authentication has the like.
  emails: plain('person', 'erasure', whileThere, 'hash of the mail address', 'sign-in'),
  passwords: plain('person', 'erasure', whileThere, 'hash of the password', 'sign-in'),
  refreshTokens: plain('person', 'ttl', '30 days after the last use', 'hashes', 'sessions'),
  passwordResets: plain('person', 'ttl', 'an hour', 'hash of a link', 'a new password'),
  knownDevices: plain('person', 'ttl', '180 days', 'hash of a cookie', 'protection from guessing'),
  signInAttempts: plain('person', 'ttl', '10 minutes', 'hashes', 'sign-in at another service'),
  signInFailures: plain('person', 'ttl', 'a day or so', 'counts under hashes', 'protection from guessing'),
  keyRings: plain('service', 'never', 'for ever', 'sealed keys', 'sign-in'),
  purges: plain('service', 'never', 'for ever', 'a time', 'a wrong clock deletes nothing'),
  standalone: plain('service', 'never', 'for ever', 'that the first account was made', 'first start'),
}

/** What lies in files, or with Google, beside the database. */
export const files: readonly (Term & { readonly name: string })[] = [
  {
    name: 'logs of a standalone server',
    ...plain('both', 'use', 'two files of 8 MB a program', 'ids, addresses, codes', 'finding faults'),
  },
  {
    name: 'index of the log of a standalone server',
    ...plain(
      'both',
      'use',
      'by logs.days and logs.megabytes, 14 days and 64 MB',
      'the same',
      'finding faults',
    ),
  },
  {
    name: 'mails in the data folder',
    ...plain('person', 'use', 'until the operator deletes them', 'mails', 'a server without SMTP'),
  },
  {
    name: 'backups of a standalone server',
    ...plain('both', 'job', 'by backup.keep, 14 by default', 'the database', 'losses'),
  },
  {
    name: 'backups of Firestore',
    ...plain('both', 'job', 'by the schedule in cdktf', 'the database', 'losses'),
  },
  {
    name: 'Cloud Logging',
    ...plain(
      'both',
      'job',
      'by the retention of its buckets, 30 days by default',
      'ids, addresses, codes',
      'faults',
    ),
  },
]
