/**
 * Why a collection, or a person's or account's side of it, is in no export. A test walks every collection that the code
 * declares: one that is neither exported nor explained here fails it.
 */
type Reasons = string | { readonly person: string } | { readonly account: string }

const service = 'it is about the service and no person or account'
const ofAccounts = { person: 'it belongs to an account, whose owners export it' }
const ofPeople = { account: 'it belongs to a person, who exports it' }
const passing = 'it is work in progress, and what comes of it is exported elsewhere'

export const notExported: { readonly [collection: string]: Reasons } = {
  users: ofPeople,
  identities: ofPeople,
  operators: ofPeople,
  mailAddresses: ofPeople,
  waitList: ofPeople,
  signIns: ofPeople,
  passkeys: ofPeople,
  factors: ofPeople,
  addressChanges: ofPeople,
  accounts: ofAccounts,
  tunnels: ofAccounts,
  endpoints: ofAccounts,
  domains: ofAccounts,
  certificates: ofAccounts,
  quota: ofAccounts,
  usageHours: ofAccounts,
  usagePeriods: ofAccounts,
  usageMonths: ofAccounts,

  tunnelNames: 'the name is in tunnels',
  names: 'the host is in tunnels',
  verified: 'the state of the claim is in domains',
  deletedTunnels: 'it has ids alone, until the last usage report of a tunnel has come',
  usageLate: 'it has hours alone, until they are counted into usagePeriods',
  online: 'releases up to 0.1 left it; it says nothing',
  auditTallies: 'its counts become entries of audit within the hour',
  auditExports: 'it is a copy of audit',
  auditExportParts: 'it is a copy of audit',
  seals: 'it has hashes alone',
  sealLeaves: 'it has ids and hashes alone, which stay when entries are erased',
  signInPlaces: 'it has digests, to tell a new place from a known one; the places are in signIns',
  spentChallenges: 'it has hashes of challenges that were used, for five minutes',
  endedSignIns: 'it has the id of a sign-in that ended, as long as its tokens live',
  deviceCodes: 'it lives for a few minutes, and what comes of it is in keys and audit',
  rates: 'it has counts under hashes, for a day at most',
  idempotency: 'it repeats answers, for a day at most',
  operatorViews: 'it lives for half an hour; beginning, end and what was read are in audit',
  jobs: passing,
  commands: passing,
  invites: "it is the operator's; the code by which an account came is in audit",
  cells: service,
  relays: service,
  bound: service,
  signingKeys: service,
  signingState: service,
  serviceSecrets: service,
  flags: service,
  catalogues: service,
  proxyNetworks: service,
  stripeEvents: 'it has ids, until what they are about was read into subscriptions',
  customers: 'the id is in subscriptions',
  meterReports: 'it has megabytes of hours, which are in usagePeriods',
  subscriptions: ofAccounts,
  trials: 'it has keyed hashes, so that a card and a mailbox have one trial; nobody is found by them',
  certificateBudgets: service,
  enrolmentKeys: service,
  relayCredentials: service,
  enrolledRelays: service,

  // The standalone server's own.
  emails: 'it has a hash of the address, which is in users',
  passwords: 'a hash of the password is a secret',
  refreshTokens: 'it has hashes of secrets; when somebody signed in is in audit',
  passwordResets: 'it has the hash of a link, for an hour',
  knownDevices: 'it has the hash of a cookie',
  signInAttempts: 'it has hashes, for the ten minutes of a sign-in at another service',
  signInFailures: 'it has counts under hashes',
  keyRings: service,
  purges: service,
  standalone: service,
}
