/**
 * Lists what an operator does once for an environment, in order, with every command: what has to be there before
 * Terraform
 * can keep a state, what its providers cannot make, and what the state must not hold. Prints them:
 * `npm run cloud:steps -- --env prod`.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { runFor } from './command.ts'
import type { Cell, Environment } from './environment.ts'
import { operatorLine } from './function-variables.ts'
import {
  accounts,
  archivesBucket,
  emailOf,
  functionsObject,
  releaseSecrets,
  sourcesBucket,
  stateBucket,
} from './names.ts'
import { secrets } from './secrets.ts'

export type Step = {
  readonly title: string
  /** The operator should know this before. */
  readonly note?: string
  /** Lines for a shell; secrets come from its variables. */
  readonly commands: readonly string[]
}

/**
 * In each shell, at the top of the checkout: commands find its Node 24 and its ptunctl, whatever else the machine has.
 * An older Node reads no TypeScript.
 */
export const inEachShell = 'export PATH="$PWD/node_modules/.bin:$PATH"'

/** Terraform itself calls these two; it switches on the rest. */
const terraformNeeds = [
  'serviceusage',
  'cloudresourcemanager',
  'iam',
  'storage',
  'apikeys',
  'identitytoolkit',
]

function project(environment: Environment): readonly Step[] {
  const { project: id, billingAccount, region } = environment
  const bucket = `gs://${stateBucket(environment)}`
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

/** A call of Google's REST interfaces as the person who is signed in. */
function callLine({ project: id }: Environment, method: string, url: string, body: string): string {
  return `curl --fail-with-body -sS -X ${method} '${url}' -H "Authorization: Bearer $(gcloud auth print-access-token)" -H 'X-Goog-User-Project: ${id}' -H 'Content-Type: application/json' --data @- <<END\n${body}\nEND`
}

function firebase({ project: id, consoleHost }: Environment): readonly Step[] {
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
  ]
}

/** Each stack with what Terraform is told; in this order each finds what it needs. */
function apply(
  { name }: Environment,
  stacks: readonly string[],
  {
    note,
    exported = [],
    options = '',
  }: { readonly note: string; readonly exported?: readonly string[]; readonly options?: string },
): Step {
  return {
    title: `Terraform: ${stacks.join(', ')}`,
    note,
    commands: [
      ...(exported.length > 0 ? [`export ${exported.join(' ')}`] : []),
      `npm run cloud:synth -- --env ${name}${options}`,
      ...stacks.flatMap((stack) =>
        ['init', 'apply'].map((verb) => `terraform -chdir=cdktf/cdktf.out/stacks/${stack} ${verb}`),
      ),
    ],
  }
}

function signIn(environment: Environment): Step {
  const { project: id, consoleHost } = environment
  const api = `https://identitytoolkit.googleapis.com/admin/v2/projects/${id}`
  const call = (method: string, path: string, body: string) =>
    callLine(environment, method, `${api}/${path}`, body)
  const provider = (idp: string, name: string) =>
    call(
      'POST',
      `defaultSupportedIdpConfigs?idpId=${idp}`,
      `{"enabled": true, "clientId": "$${name}_CLIENT_ID", "clientSecret": "$${name}_CLIENT_SECRET"}`,
    )
  return {
    title: 'Sign-in with Google and GitHub, and nobody learns which addresses have an account',
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
  }
}

const pageFile = join(import.meta.dirname, '../docs/cloud-steps.md')

/** Relays report their own addresses; that of a balancer in front of them nobody reports. */
function cellLines(project: string, { id, host, region, zones, tcpPorts }: Cell): readonly string[] {
  const line = `node ptunctl/ptunctl.js cells create ${id} --host ${host} --domain ${host} --ports ${tcpPorts.first}-${tcpPorts.last}`
  if (zones.length === 1) return [line]
  const ask = `gcloud compute addresses describe cell-${id} --region=${region} --project=${project} --format='value(address)'`
  return [`address="$(${ask})"`, `${line} --addresses "$address"`]
}

const releaseKey = ({ region, project: id }: Environment) =>
  `--key=release --keyring=releases --location=${region} --project=${id}`

function signer(environment: Environment): Step {
  const { project: id, region } = environment
  return {
    title: 'The key of releases',
    note: 'It never leaves KMS. Put what the last command prints into the environment as release.keys.',
    commands: [
      `gcloud kms keyrings create releases --location=${region} --project=${id}`,
      `gcloud kms keys create release --keyring=releases --location=${region} --purpose=asymmetric-signing --default-algorithm=ec-sign-ed25519 --project=${id}`,
      `gcloud kms keys versions get-public-key 1 ${releaseKey(environment)} --output-file=release.pem`,
      'openssl pkey -pubin -in release.pem -outform DER | base64 --wrap=0',
    ],
  }
}

const functionsZip = 'functions/dist/functions.zip'
const relayList = 'relay-vm/dist/SHA256SUMS'
const hashOf = (file: string) => `$(sha256sum ${file} | cut -c1-64)`

function deliver(environment: Environment): Step {
  const [sources, archives] = [`gs://${sourcesBucket(environment)}`, `gs://${archivesBucket(environment)}`]
  const object = functionsObject(hashOf(functionsZip))
  // The folder that the stack looks into: a later release leaves it as it is.
  const folder = `${archives}/relays-${hashOf(relayList)}`
  return {
    title: 'What is deployed',
    note: 'Each goes to an address that has its SHA-256, so nothing that runs is ever overwritten.',
    commands: [
      'npm run build -w web',
      'npm run archive -w relay-vm',
      'npm run archive -w functions',
      `gcloud kms asymmetric-sign --version=1 ${releaseKey(environment)} --input-file=relay-vm/dist/SHA256SUMS --signature-file=relay-vm/dist/SHA256SUMS.sig`,
      `gcloud storage cp functions/dist/functions.zip ${sources}/${object} --no-clobber`,
      `gcloud storage cp relay-vm/dist/*.tar.gz relay-vm/dist/SHA256SUMS* ${folder}/ --no-clobber`,
    ],
  }
}

function open(environment: Environment): readonly Step[] {
  const { name, project: id, cells, consoleHost, region } = environment
  const sites = `https://firebasehosting.googleapis.com/v1beta1/projects/${id}/sites/${id}`
  const relays = cells.map(({ host }) => `--relays 'https://*.${host}:*'`)
  return [
    {
      title: 'The console',
      note: 'Hosting takes its name once the stack edge has made the record.',
      commands: [
        `node functions/hosting.ts --region ${region} ${relays.join(' ')}`,
        `firebase deploy --only hosting --project ${id}`,
        callLine(environment, 'POST', `${sites}/customDomains?customDomainId=${consoleHost}`, '{}'),
      ],
    },
    {
      title: 'Cells',
      note: 'As yourself: these use the application default credentials too.',
      commands: [
        operatorLine(environment),
        ...cells.flatMap((cell) => cellLines(id, cell)),
        'node ptunctl/ptunctl.js relays list',
      ],
    },
    {
      title: 'A tunnel',
      note: `Visitors reach it as soon as resolvers know the records of ${cells[0]?.host}, which are made when its relays first report.`,
      commands: [
        `npx porttunneler login --server https://${consoleHost}`,
        `npx porttunneler http 3000   # ${name} works`,
      ],
    },
  ]
}

function releases(environment: Environment): Step {
  const { name, project: id, projectNumber, billingAccount, repository } = environment
  const account = emailOf(environment, accounts.release)
  const keep = (secret: string, variable: string) =>
    `gcloud secrets create ${secret} --project=${id} --replication-policy=automatic --data-file=- <<< "$${variable}"`
  const pool = `projects/${projectNumber}/locations/global/workloadIdentityPools/release/providers/github`
  return {
    title: 'What further releases need',
    note: `Sign up as the account that tries tunnels, make it a key with the scope tunnels (ptun keys create), and set SMOKE_KEY to it. Give the environment ${name} of the repository at GitHub reviewers, and let it deploy from main alone.`,
    commands: [
      keep(releaseSecrets.smokeKey, 'SMOKE_KEY'),
      keep(releaseSecrets.cloudflareToken, 'CLOUDFLARE_API_TOKEN'),
      `gcloud billing accounts add-iam-policy-binding ${billingAccount} --member=serviceAccount:${account} --role=roles/billing.costsManager`,
      `gh api --method PUT repos/${repository}/environments/${name}`,
      `gh variable set WORKLOAD_IDENTITY_PROVIDER --repo ${repository} --env ${name} --body ${pool}`,
      `gh variable set RELEASE_ACCOUNT --repo ${repository} --env ${name} --body ${account}`,
    ],
  }
}

export function firstSteps(environment: Environment): readonly Step[] {
  const credentials = { note: 'Before: gcloud auth application-default login, as a person who may.' }
  const variables = {
    note: 'Set CLOUDFLARE_API_TOKEN (edits both zones), TF_VAR_cloudflare_token (edits the records of the relay domain alone), TF_VAR_stripe_key, TF_VAR_stripe_webhook_secret, TF_VAR_stripe_events_secret (each "none" where nothing is sold yet) and TF_VAR_mail_smtp in this shell; Terraform sees what is exported.',
    // What was just built, instead of what the file of the environment names.
    options: ` --functions "${hashOf(functionsZip)}" --relays ${relayList}`,
    exported: ['CLOUDFLARE_API_TOKEN', ...Object.values(secrets).map(({ variable }) => `TF_VAR_${variable}`)],
  }
  return [
    ...project(environment),
    ...firebase(environment),
    apply(environment, ['project', 'network'], credentials),
    signer(environment),
    apply(environment, ['identity'], credentials),
    signIn(environment),
    deliver(environment),
    apply(environment, ['control', 'relays', 'edge', 'observability'], variables),
    ...open(environment),
    releases(environment),
  ]
}

/** As docs/cloud-steps.md has it. */
export function pageText(environment: Environment): string {
  const sections = firstSteps(environment).map(({ title, note, commands }, index) => {
    const words = note === undefined ? '' : `${note}\n\n`
    return `## ${index + 1}. ${title}\n\n${words}\`\`\`sh\n${commands.join('\n')}\n\`\`\`\n`
  })
  return `${pageHead}\n${sections.join('\n')}`
}

const pageHead = `# From nothing to a tunnel in the cloud

Every command for the first operator's installation, in order. \`npm run cloud:steps -- --env prod --page\` writes this
page, and without \`--page\` the same steps are printed for any environment. What they make is in [cloud.md](cloud.md).

You need a checkout after \`npm ci\`, Terraform 1.11 or later, \`gcloud\` and \`firebase\` (\`npm install -g
firebase-tools\`) signed in as you, a billing account at Google, two zones at Cloudflare, and an endpoint at Stripe.
\`cdktf/environments/prod.ts\` has the facts.

In each shell, at the top of the checkout, so that its Node 24 and its \`ptunctl\` are found first:

\`\`\`sh
${inEachShell}
\`\`\`
`

if (import.meta.main)
  await runFor(
    (environment, { page }) => {
      if (page) return writeFileSync(pageFile, pageText(environment))
      process.stdout.write(`\n# In each shell, at the top of the checkout after npm ci\n${inEachShell}\n`)
      firstSteps(environment).forEach(({ title, note, commands }, index) => {
        const words = note === undefined ? [] : [`# ${note}`]
        process.stdout.write(`\n# ${index + 1}. ${title}\n${[...words, ...commands].join('\n')}\n`)
      })
    },
    { page: { type: 'boolean', default: false } },
  )
