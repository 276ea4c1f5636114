/** Policies about the account of releases: whoever gets hold of a run keeps nothing, and reads nothing of people. */
import { appliedBy, releaseRoles, releaser } from '../release-rights.ts'
import { type Policy, type Settings, type Stacks, texts } from './policy.ts'

/** Gives rights, deletes what has data, reads or sends what belongs to people, or runs as somebody. */
const actsNotForReleases = [
  ...['setIamPolicy', 'delete', 'destroy', 'publish', 'consume', 'invoke', 'call', 'export', 'import'],
  ...['actAs', 'getSecret', 'getHashConfig'],
]
const notForReleases = (permission: string) => {
  const [, thing = '', act = ''] = permission.split('.')
  return actsNotForReleases.includes(act) || ['entities', 'users', 'snapshots'].includes(thing)
}
/** Google's roles for these have such permissions, so ours stands in. */
const tooWide = [
  ...['pubsub', 'run', 'secretmanager', 'cloudfunctions', 'datastore', 'eventarc', 'identityplatform'],
  ...['firebaseauth', 'storage'],
]
const isTooWide = (role: string) =>
  tooWide.some((service) => role.startsWith(`roles/${service}.`)) || role === 'roles/iam.serviceAccountUser'

const rolesOf = (stacks: Stacks) =>
  stacks
    .of('google_project_iam_member')
    .filter(([, { member }]) => /\brelease\b/.test(String(member)))
    .map(([name, { role }]) => [name, String(role)] as const)

const customRole = (stacks: Stacks): Settings =>
  stacks.of('google_project_iam_custom_role').find(([, { role_id }]) => role_id === releaser.roleId)?.[1] ??
  {}

const grantsToRunAs = (stacks: Stacks) =>
  stacks
    .of('google_service_account_iam_member')
    .filter(([, { role }]) => role === 'roles/iam.serviceAccountUser')

const grantToRunAs = (stacks: Stacks): Settings => grantsToRunAs(stacks).at(-1)?.[1] ?? {}

export const releasePolicies: readonly Policy[] = [
  {
    rule: 'the account of releases has Google’s roles that are listed with a reason, and none of the wide ones',
    breaches: (stacks) => {
      const roles = rolesOf(stacks)
      if (roles.length === 0) return ['it has none']
      return roles
        .filter(([, role]) => isTooWide(role) || (role.startsWith('roles/') && !(role in releaseRoles)))
        .map(([name, role]) => `${name}: ${role}`)
    },
    mistakes: ['roles/pubsub.admin', 'roles/iam.serviceAccountUser', 'roles/bigquery.admin'].map(
      (role) => (stacks: Stacks) => {
        const release = stacks.of('google_project_iam_member').find(([name]) => name.startsWith('release-'))
        if (release) release[1].role = role
      },
    ),
  },
  {
    rule: 'its own role gives no rights, deletes nothing, and reads and sends nothing of people',
    breaches: (stacks) => {
      const permissions = texts(customRole(stacks).permissions)
      return permissions.length === 0 ? ['there is none'] : permissions.filter(notForReleases)
    },
    mistakes: [
      'pubsub.topics.setIamPolicy',
      'datastore.entities.get',
      'pubsub.subscriptions.consume',
      'secretmanager.versions.destroy',
      'firebaseauth.users.createSession',
    ].map((permission) => (stacks: Stacks) => {
      const role = customRole(stacks)
      role.permissions = [...texts(role.permissions), permission]
    }),
  },
  {
    rule: 'it runs code as the accounts of programs alone, not as every account of the project',
    breaches: (stacks) => {
      const allowed = grantsToRunAs(stacks)
      const accounts = stacks.of('google_service_account').filter(([name]) => name !== 'release')
      return [
        ...accounts
          .filter(
            ([name]) =>
              !allowed.some(([, { service_account_id }]) => String(service_account_id).includes(`.${name}.`)),
          )
          .map(([name]) => `${name}: a release cannot deploy what runs as it`),
        ...allowed
          .filter(([, { member }]) => !/^serviceAccount:release@/.test(String(member)))
          .map(([name]) => `${name}: somebody else`),
      ]
    },
    mistakes: [
      (stacks) => Object.assign(grantToRunAs(stacks), { member: 'user:somebody@example.com' }),
      (stacks) => Object.assign(grantToRunAs(stacks), { role: 'roles/iam.workloadIdentityUser' }),
    ],
  },
  {
    rule: 'each type of resource is one that the account may apply, or that a person does',
    breaches: (stacks) => {
      const permissions = texts(customRole(stacks).permissions)
      const roles = rolesOf(stacks).map(([, role]) => role)
      const isHeld = (right: string) =>
        right === 'a person' ||
        right === 'CLOUDFLARE_API_TOKEN' ||
        roles.includes(right) ||
        permissions.includes(right)
      return stacks.types.flatMap((type) => {
        const right = appliedBy.find(([pattern]) => pattern.test(type))?.[1]
        if (right === undefined) return [`${type}: nothing says who applies it`]
        return isHeld(right) ? [] : [`${type}: it lacks ${right}`]
      })
    },
    mistakes: [
      ({ types }) => (types as string[]).push('google_sql_database_instance'),
      (stacks) => {
        const role = customRole(stacks)
        role.permissions = texts(role.permissions).filter((one) => one !== 'pubsub.topics.update')
      },
    ],
  },
]
