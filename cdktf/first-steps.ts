/**
 * What an operator does once for an environment, in order, with every command: what has to be there before Terraform
 * can keep a state, what its providers cannot make, and what the state must not hold. Prints them:
 * `npm run cloud:steps -- --env prod`.
 */
import { basename, dirname } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import type { Environment } from './environment.ts'
import { accounts, archivesBucket, emailOf, releaseSecrets, sourcesBucket, stateBucket } from './names.ts'
import { readEnvironment } from './read-environment.ts'

export type Step = {
  readonly title: string
  /** The operator should know this before. */
  readonly note?: string
  /** Lines for a shell; secrets come from its variables. */
  readonly commands: readonly string[]
}

/** Terraform itself calls these two; it switches on the rest. */
const terraformNeeds = [
  'serviceusage',
  'cloudresourcemanager',
  'iam',
  'storage',
  'apikeys',
  'identitytoolkit',
]

function project({ project: id, billingAccount, region }: Environment): readonly Step[] {
  const bucket = `gs://${stateBucket({ project: id } as Environment)}`
  return [
    {
      title: 'A project that is billed',
      note: 'Put its number, which the last command prints, into the environment as projectNumber.',
      commands: [
        `gcloud projects create ${id} --name=PortTunneler`,
        `gcloud billing projects link ${id} --billing-account=${billingAccount}`,
        `gcloud projects describe ${id} --format='value(projectNumber)'`,
      ],
    },
    {
      title: 'A bucket for the state of Terraform, with all its earlier versions',
      commands: [
        `gcloud services enable ${terraformNeeds.map((name) => `${name}.googleapis.com`).join(' ')} --project=${id}`,
        `gcloud storage buckets create ${bucket} --project=${id} --location=${region} --uniform-bucket-level-access --public-access-prevention`,
        `gcloud storage buckets update ${bucket} --versioning`,
      ],
    },
    {
      title: 'Accounts of Google’s own that get rights before they exist',
      commands: ['pubsub', 'eventarc'].map(
        (name) => `gcloud beta services identity create --service=${name}.googleapis.com --project=${id}`,
      ),
    },
  ]
}

function signIn({ project: id, consoleHost }: Environment): readonly Step[] {
  const api = `https://identitytoolkit.googleapis.com/admin/v2/projects/${id}`
  const call = (method: string, path: string, body: string) =>
    `curl --fail-with-body -sS -X ${method} '${api}/${path}' -H "Authorization: Bearer $(gcloud auth print-access-token)" -H 'X-Goog-User-Project: ${id}' -H 'Content-Type: application/json' --data @- <<END\n${body}\nEND`
  const provider = (idp: string, name: string) =>
    call(
      'POST',
      `defaultSupportedIdpConfigs?idpId=${idp}`,
      `{"enabled": true, "clientId": "$${name}_CLIENT_ID", "clientSecret": "$${name}_CLIENT_SECRET"}`,
    )
  return [
    {
      title: 'Firebase, for sign-in and Hosting',
      commands: [
        `firebase projects:addfirebase ${id}`,
        `firebase apps:create WEB console --project ${id}`,
        `firebase hosting:sites:create ${id} --project ${id}`,
      ],
    },
    {
      title: 'The key by which the console names its project',
      note: 'It is public, and of use at the console alone. Put it into the environment as firebaseApiKey.',
      commands: [
        `gcloud services api-keys create --project=${id} --display-name=console --api-target=service=identitytoolkit.googleapis.com --api-target=service=securetoken.googleapis.com --allowed-referrers='https://${consoleHost}/*'`,
      ],
    },
    {
      title:
        'Sign-in with Google and GitHub, and nobody learns which addresses have an account (after the stack identity)',
      note: `At both, the address to return to is https://${consoleHost}/__/auth/handler. Set GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET, GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET in this shell.`,
      commands: [
        provider('google.com', 'GOOGLE'),
        provider('github.com', 'GITHUB'),
        call(
          'PATCH',
          'config?updateMask=emailPrivacyConfig',
          '{"emailPrivacyConfig": {"enableImprovedEmailPrivacy": true}}',
        ),
      ],
    },
  ]
}

function deliver(environment: Environment): readonly Step[] {
  const { name, project: id, cells, consoleHost, functionsArchiveSha256 } = environment
  const [sources, archives] = [`gs://${sourcesBucket(environment)}`, `gs://${archivesBucket(environment)}`]
  const version = basename(dirname(new URL(environment.release.url).pathname))
  const key = `--key=release --keyring=releases --location=${environment.region} --project=${id}`
  return [
    {
      title: 'The key of releases (after the stack project, before identity)',
      note: 'It never leaves KMS. Put what the last command prints into the environment as release.keys.',
      commands: [
        `gcloud kms keyrings create releases --location=${environment.region} --project=${id}`,
        `gcloud kms keys create release --keyring=releases --location=${environment.region} --purpose=asymmetric-signing --default-algorithm=ec-sign-ed25519 --project=${id}`,
        `gcloud kms keys versions get-public-key 1 ${key} --output-file=release.pem`,
        'openssl pkey -pubin -in release.pem -outform DER | base64 --wrap=0',
      ],
    },
    {
      title: 'What is deployed (after the stack project)',
      note: 'Put the hashes into the environment as functionsArchiveSha256, relayArchive and nodeArchive.',
      commands: [
        'npm run build -w web',
        'npm run archive -w relay-vm',
        'npm run archive -w functions',
        'sha256sum functions/dist/functions.zip && cat relay-vm/dist/SHA256SUMS',
        `gcloud kms asymmetric-sign --version=1 ${key} --input-file=relay-vm/dist/SHA256SUMS --signature-file=relay-vm/dist/SHA256SUMS.sig`,
        `gcloud storage cp functions/dist/functions.zip ${sources}/functions-${functionsArchiveSha256}.zip --no-clobber`,
        `gcloud storage cp relay-vm/dist/*.tar.gz relay-vm/dist/SHA256SUMS* ${archives}/${version}/ --no-clobber`,
      ],
    },
    {
      title: 'The console',
      commands: [
        `node functions/hosting.ts --region ${environment.region} ${cells.map(({ host }) => `--relays 'https://*.${host}'`).join(' ')}`,
        `firebase deploy --only hosting --project ${id}`,
      ],
    },
    {
      title: 'Cells',
      commands: [
        `export GOOGLE_CLOUD_PROJECT=${id} PORTTUNNELER_URL=https://${consoleHost}`,
        ...cells.map(
          ({ id: cell, host, tcpPorts }) =>
            `ptunctl cells create ${cell} --host ${host} --domain ${host} --ports ${tcpPorts.first}-${tcpPorts.last}`,
        ),
        `npx porttunneler login --server https://${consoleHost}`,
        `npx porttunneler http 3000   # ${name} works`,
      ],
    },
  ]
}

function releases(environment: Environment): readonly Step[] {
  const { name, project: id, projectNumber, billingAccount, repository } = environment
  const account = emailOf(environment, accounts.release)
  const keep = (secret: string, variable: string) =>
    `gcloud secrets create ${secret} --project=${id} --replication-policy=automatic --data-file=- <<< "$${variable}"`
  const pool = `projects/${projectNumber}/locations/global/workloadIdentityPools/release/providers/github`
  return [
    {
      title: 'What releases need (after the stack identity)',
      note: `Sign up as the account that tries tunnels, make it a key with the scope tunnels (ptun keys create), and set SMOKE_KEY to it. Give the environment ${name} of the repository at GitHub reviewers, and let it deploy from main alone.`,
      commands: [
        keep(releaseSecrets.smokeKey, 'SMOKE_KEY'),
        keep(releaseSecrets.cloudflareToken, 'CLOUDFLARE_API_TOKEN'),
        `gcloud billing accounts add-iam-policy-binding ${billingAccount} --member=serviceAccount:${account} --role=roles/billing.costsManager`,
        `gh api --method PUT repos/${repository}/environments/${name}`,
        `gh variable set WORKLOAD_IDENTITY_PROVIDER --repo ${repository} --env ${name} --body ${pool}`,
        `gh variable set RELEASE_ACCOUNT --repo ${repository} --env ${name} --body ${account}`,
      ],
    },
  ]
}

export function firstSteps(environment: Environment): readonly Step[] {
  return [...project(environment), ...signIn(environment), ...deliver(environment), ...releases(environment)]
}

if (import.meta.main) {
  const { env = '' } = parseArgs({ options: { env: { type: 'string' } } }).values
  firstSteps(readEnvironment(env)).forEach(({ title, note, commands }, index) => {
    const words = note === undefined ? [] : [`# ${note}`]
    process.stdout.write(`\n# ${index + 1}. ${title}\n${[...words, ...commands].join('\n')}\n`)
  })
}
