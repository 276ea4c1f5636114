/** Policies about who may do what, and what the state must not hold. */
import { each, has, type Policy, part, parts, type Stacks, texts } from './policy.ts'

/** The only three things that strangers may use. */
const publicNames = ['functions_api-invoker', 'functions_stripeWebhook-invoker', 'archives-readable']

function members(stacks: Stacks): readonly (readonly [place: string, role: string, member: string])[] {
  return stacks.types
    .filter((type) => /_iam_(member|binding)$/.test(type))
    .flatMap((type) =>
      stacks
        .of(type)
        .flatMap(([name, settings]) =>
          [settings.member, ...texts(settings.members)].map(
            (member) => [`${type}.${name}`, String(settings.role), String(member)] as const,
          ),
        ),
    )
}

const tooMuch =
  /^roles\/(owner|editor|viewer|resourcemanager\..*|iam\.(securityAdmin|serviceAccount(TokenCreator|KeyAdmin)))$/

/** Google's builds read archives of functions from buckets that Google names. */
const isWholeStorage = (place: string, role: string) =>
  place.startsWith('google_project_iam_member.') && role.startsWith('roles/storage.')

const grantTo = (role: string, member: string) => (stacks: Stacks) => {
  const last = stacks.of('google_project_iam_member').at(-1)
  if (last) Object.assign(last[1], { role, member })
}

export const accessPolicies: readonly Policy[] = [
  {
    rule: 'nothing is open to strangers but what they call and what a VM fetches',
    breaches: (stacks) =>
      members(stacks)
        .filter(([, , member]) => /^all(Authenticated)?Users$/.test(member))
        .map(([place]) => place)
        .filter((place) => !publicNames.some((name) => place.split('.')[1]?.startsWith(name))),
    mistakes: [
      grantTo('roles/datastore.user', 'allUsers'),
      grantTo('roles/datastore.user', 'allAuthenticatedUsers'),
    ],
  },
  {
    rule: 'nobody is owner, editor or viewer of everything, or may give rights to others',
    breaches: (stacks) =>
      members(stacks)
        .filter(([, role]) => tooMuch.test(role))
        .map(([place]) => place),
    mistakes: [
      grantTo('roles/owner', 'serviceAccount:a@b.c'),
      grantTo('roles/editor', 'serviceAccount:a@b.c'),
    ],
  },
  {
    rule: 'grants on the whole project are to accounts of ours',
    breaches: (stacks) =>
      stacks
        .of('google_project_iam_member')
        .filter(
          ([, { member, project }]) => !String(member).startsWith('serviceAccount:') || project === undefined,
        )
        .map(([name]) => name),
    mistakes: [grantTo('roles/datastore.user', 'user:somebody@example.com')],
  },
  {
    rule: 'rights on objects are on single buckets, never on all of a project',
    breaches: (stacks) =>
      members(stacks)
        .filter(([place, role, member]) => isWholeStorage(place, role) && !member.includes('fn-build'))
        .map(([place]) => place),
    mistakes: [
      grantTo('roles/storage.admin', 'serviceAccount:a@b.c'),
      grantTo('roles/storage.objectViewer', 'serviceAccount:a@b.c'),
    ],
  },
  each(
    'roles of our own name single permissions',
    ['google_project_iam_custom_role'],
    ({ permissions, role_id }) =>
      texts(permissions).every((name) => /^[a-z]+\.[A-Za-z]+\.[a-z]+[A-Za-z]*$/.test(name)) &&
      /^[A-Za-z0-9_.]+$/.test(String(role_id)),
    [(role) => (role.permissions = ['compute.*']), (role) => (role.role_id = 'group-reader')],
  ),
  each(
    'accounts have names that Google takes',
    ['google_service_account'],
    ({ account_id }) => /^[a-z][a-z0-9-]{4,28}[a-z0-9]$/.test(String(account_id)),
    [(account) => (account.account_id = 'api')],
  ),
  each(
    'releases come from one workflow on our main branch, in an environment that somebody approves',
    ['google_iam_workload_identity_pool_provider'],
    ({ attribute_condition, oidc }) => {
      const wanted = [
        /^repository == '([\w.-]+\/[\w.-]+)'$/,
        /^ref == 'refs\/heads\/main'$/,
        /^environment == '(?:dev|staging|prod)'$/,
        /^workflow_ref == '[\w.-]+\/[\w.-]+\/\.github\/workflows\/release\.yml@refs\/heads\/main'$/,
      ]
      const claims = String(attribute_condition).split(' && assertion.')
      const [first = '', ...others] = claims
      return (
        claims.length === wanted.length &&
        [first.replace('assertion.', ''), ...others].every((claim, index) => wanted[index]?.test(claim)) &&
        part({ oidc }, 'oidc').issuer_uri === 'https://token.actions.githubusercontent.com'
      )
    },
    [
      (provider) => delete provider.attribute_condition,
      (provider) =>
        (provider.attribute_condition = String(provider.attribute_condition).replace(
          / && assertion\.env[^&]*/,
          '',
        )),
      (provider) =>
        (provider.attribute_condition = String(provider.attribute_condition).replace(' && ', ' || ')),
      (provider) => (part(provider, 'oidc').issuer_uri = 'https://gitlab.com'),
    ],
  ),
  each(
    'secrets outlive a mistake, and no value of one is in the state',
    ['google_secret_manager_secret'],
    (secret) => has(secret, { deletion_protection: true }) && parts(secret, 'replication').length === 1,
    [(secret) => delete secret.deletion_protection, (secret) => delete secret.replication],
  ),
  each(
    'a version of a secret has data that nobody can read back',
    ['google_secret_manager_secret_version'],
    (version) =>
      version.secret_data === undefined &&
      /^\$\{var\.\w+\}$/.test(String(version.secret_data_wo)) &&
      typeof version.secret_data_wo_version === 'number' &&
      version.deletion_policy === 'DISABLE' &&
      has(part(version, 'lifecycle'), { create_before_destroy: true }),
    [
      (version) => (version.secret_data = 'x'),
      (version) => (version.secret_data_wo = 'x'),
      (version) => delete version.secret_data_wo_version,
      (version) => delete version.deletion_policy,
      (version) => delete version.lifecycle,
    ],
  ),
  {
    rule: 'variables with secrets leave no trace in a plan',
    breaches: ({ variables }) =>
      variables
        .filter(([, settings]) => !has(settings, { ephemeral: true, sensitive: true }))
        .map(([name]) => name),
    mistakes: [({ variables }) => delete variables.at(-1)?.[1].ephemeral],
  },
  {
    rule: 'nothing whose secret the state would keep as text is a resource',
    breaches: ({ types }) =>
      types.filter((type) =>
        /apikeys_key|idp_config|service_account_key|origin_pulls_certificate|api_token$/.test(type),
      ),
    mistakes: [({ types }) => (types as string[]).push('google_apikeys_key')],
  },
  each(
    'switching off a service takes more than deleting a line',
    ['google_project_service'],
    ({ disable_on_destroy, service }) =>
      disable_on_destroy === false && String(service).endsWith('.googleapis.com'),
    [(service) => delete service.disable_on_destroy],
  ),
]
