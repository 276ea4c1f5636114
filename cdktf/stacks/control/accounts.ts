/**
 * Makes the account that each program runs as, and gives it its roles. docs/cloud.md has the table with the
 * reasons.
 */
import { KmsCryptoKeyIamMember } from '@cdktf/provider-google/lib/kms-crypto-key-iam-member/index.js'
import { ProjectIamCustomRole } from '@cdktf/provider-google/lib/project-iam-custom-role/index.js'
import { ProjectIamMember } from '@cdktf/provider-google/lib/project-iam-member/index.js'
import { ServiceAccount } from '@cdktf/provider-google/lib/service-account/index.js'
import { ServiceAccountIamMember } from '@cdktf/provider-google/lib/service-account-iam-member/index.js'
import { Construct } from 'constructs'
import { deployments } from '../../../functions/deployment.ts'
import { accounts, emailOf, functionAccounts, kmsKeyPath, relayAccount } from '../../names.ts'
import type { PorttunnelerStack } from '../porttunneler-stack.ts'

const everyFunction = ['roles/datastore.user', 'roles/logging.logWriter']
const projectRoles: { readonly [account: string]: readonly string[] } = {
  [functionAccounts.api]: [...everyFunction, 'roles/firebaseauth.admin'],
  [functionAccounts.onJobs]: everyFunction,
  [functionAccounts.onRelayEvent]: everyFunction,
  [functionAccounts.onSchedule]: everyFunction,
  [functionAccounts.stripeWebhook]: everyFunction,
  [accounts.trigger]: ['roles/eventarc.eventReceiver'],
  [accounts.scheduler]: [],
  [accounts.build]: [
    'roles/logging.logWriter',
    'roles/artifactregistry.writer',
    'roles/storage.objectViewer',
  ],
}

/** A role of one permission, where Google's own roles give more. */
const ownRoles = {
  relayGroupReader: {
    title: 'Reads which instances a group of relays has',
    permissions: ['compute.instanceGroupManagers.get'],
    accounts: [functionAccounts.api],
  },
  logReader: {
    title: 'Reads the log, for operators who search it',
    permissions: ['logging.logEntries.list'],
    accounts: [functionAccounts.api],
  },
  backupReader: {
    title: 'Sees how old the backups of the database are',
    permissions: ['datastore.backups.list'],
    accounts: [functionAccounts.onSchedule],
  },
  peopleEraser: {
    title: 'Deletes people who are erased with their account',
    permissions: ['firebaseauth.users.delete'],
    accounts: [functionAccounts.onJobs, functionAccounts.onSchedule],
  },
} as const

export class Accounts extends Construct {
  /** By account name. */
  readonly byName: ReadonlyMap<string, ServiceAccount>

  constructor(stack: PorttunnelerStack) {
    super(stack, 'accounts')
    const { environment } = stack
    const relays = environment.cells.map(relayAccount)
    const names = [...Object.keys(projectRoles), ...relays]
    this.byName = new Map(
      names.map((name) => [
        name,
        new ServiceAccount(this, name, { accountId: name, displayName: `PortTunneler ${name}` }),
      ]),
    )
    // A relay may do nothing in the project but write its log: the rest is on its own subscriptions and one topic.
    for (const name of names)
      for (const role of projectRoles[name] ?? ['roles/logging.logWriter'])
        this.#grant(stack, name, role, role.split('/')[1] ?? role)
    for (const [id, { title, permissions, accounts: holders }] of Object.entries(ownRoles)) {
      const role = new ProjectIamCustomRole(this, id, { roleId: id, title, permissions: [...permissions] })
      for (const holder of holders) this.#grant(stack, holder, role.name, id)
    }
    for (const name of names) this.#letRelease(stack, name)
    this.#letMakeTokens(functionAccounts.api)
    for (const [name, { signs }] of Object.entries(deployments))
      if (signs) this.#letSign(stack, functionAccounts[name as keyof typeof functionAccounts])
  }

  member(name: string): string {
    const found = this.byName.get(name)
    if (!found) throw new Error(`No account ${name}`)
    return `serviceAccount:${found.email}`
  }

  #grant({ environment }: PorttunnelerStack, name: string, role: string, label: string): void {
    new ProjectIamMember(this, `${name}-${label}`, {
      project: environment.project,
      role,
      member: this.member(name),
    })
  }

  /** Who deploys a program has to be allowed to let it run as its account: here, and not as any of the project. */
  #letRelease({ environment }: PorttunnelerStack, name: string): void {
    const account = this.byName.get(name)
    if (!account) throw new Error(`No account ${name}`)
    new ServiceAccountIamMember(this, `${name}-released`, {
      serviceAccountId: account.name,
      role: 'roles/iam.serviceAccountUser',
      member: `serviceAccount:${emailOf(environment, accounts.release)}`,
    })
  }

  /** Tokens for people who showed a passkey are signed in its own name, and in no other's. */
  #letMakeTokens(name: string): void {
    const account = this.byName.get(name)
    if (!account) throw new Error(`No account ${name}`)
    const role = new ProjectIamCustomRole(this, 'tokenSigner', {
      roleId: 'tokenSigner',
      title: 'Signs tokens for people who showed a second factor',
      permissions: ['iam.serviceAccounts.signBlob'],
    })
    new ServiceAccountIamMember(this, `${name}-tokens`, {
      serviceAccountId: account.name,
      role: role.name,
      member: this.member(name),
    })
  }

  #letSign({ environment }: PorttunnelerStack, name: string): void {
    new KmsCryptoKeyIamMember(this, `${name}-key`, {
      cryptoKeyId: kmsKeyPath(environment),
      role: 'roles/cloudkms.cryptoKeyEncrypterDecrypter',
      member: this.member(name),
    })
  }
}
