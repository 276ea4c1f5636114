/**
 * Lists what an operator does after a loss, in order, with every command: `npm run cloud:recover -- --env prod
 * database`. It
 * only prints: most lines take minutes, and each has a result to look at before the next. docs/disaster.md says what
 * users see meanwhile.
 */
import process from 'node:process'
import { parseArgs } from 'node:util'
import { deployments } from '../functions/deployment.ts'
import type { Environment } from './environment.ts'
import { inEachShell, type Step } from './first-steps.ts'
import { operatorLine } from './function-variables.ts'
import { archivesBucket, keyRing, releaseSecrets, signingKey, stateBucket, vmsOf } from './names.ts'
import { readEnvironment } from './read-environment.ts'
import { secrets } from './secrets.ts'

export const recoveryNames = ['database', 'backup', 'key', 'rotation', 'cell', 'dns', 'messages'] as const
export type RecoveryName = (typeof recoveryNames)[number]

/** The new database; its name says to when it goes back. */
const restored = 'restored-20260131'
const moment = '2026-01-31T12:00:00Z'

export function recoveryOf(name: RecoveryName, environment: Environment): readonly Step[] {
  switch (name) {
    case 'database':
      return [...exportOf(environment), ...goBack(environment)]
    case 'backup':
      return [...fromBackup(environment), ...goBack(environment)]
    case 'key':
      return lostKey(environment)
    case 'rotation':
      return rotation(environment)
    case 'cell':
      return lostCell(environment)
    case 'dns':
      return lostDns(environment)
    case 'messages':
      return lostMessages(environment)
  }
}

const bucketOf = ({ project }: Environment) => `gs://${project}-restore`
const stack = 'cdktf/cdktf.out/stacks/control'
const checkout =
  'In a checkout of the commit that releases/current.json names, after npm ci; before the first release there is none, then synthesise as in the first steps.'

/** Applies the stack of functions and databases: with what the last release deployed, and the secrets as they are. */
function applied(environment: Environment): readonly string[] {
  const { name, project } = environment
  const values = Object.values(secrets).map(
    ({ id, variable }) =>
      `export TF_VAR_${variable}="$(gcloud secrets versions access latest --secret=${id} --project=${project})"`,
  )
  const current = (field: string) => `$(node -p "require('$folder/current.json').${field}")`
  return [
    'folder="$(mktemp -d)"',
    `gcloud storage cp gs://${stateBucket(environment)}/releases/current.json "$folder/current.json"`,
    `gcloud storage cp "gs://${archivesBucket(environment)}/relays-${current('archives.relays')}/SHA256SUMS" "$folder/SHA256SUMS"`,
    `npm run cloud:synth -- --env ${name} --functions "${current('archives.functions')}" --relays "$folder/SHA256SUMS"`,
    ...values,
    `terraform -chdir=${stack} init`,
    `terraform -chdir=${stack} apply`,
  ]
}

function makeBucket(environment: Environment): string {
  const { project, region } = environment
  return `gcloud storage buckets create ${bucketOf(environment)} --project=${project} --location=${region} --uniform-bucket-level-access --public-access-prevention`
}

function exportOf(environment: Environment): readonly Step[] {
  const { project, database } = environment
  return [
    {
      title: 'The state of a whole minute within the last seven days',
      note: `Take the last minute before the damage; here ${moment}. The first command prints the earliest one.`,
      commands: [
        `gcloud firestore databases describe --project=${project} --database='${database}' --format='value(earliestVersionTime)'`,
        makeBucket(environment),
        `gcloud firestore export ${bucketOf(environment)}/state --project=${project} --database='${database}' --snapshot-time=${moment}`,
      ],
    },
  ]
}

function fromBackup(environment: Environment): readonly Step[] {
  const { project, region } = environment
  return [
    {
      title: 'The newest backup from before the damage, as a database beside',
      note: 'Put the name that the first command prints into the second. It takes hours for a large database.',
      commands: [
        `gcloud firestore backups list --project=${project} --location=${region} --format='table(name, database, snapshotTime, state)'`,
        `gcloud firestore databases restore --project=${project} --source-backup=projects/${project}/locations/${region}/backups/BACKUP --destination-database=from-backup`,
        makeBucket(environment),
        `gcloud firestore export ${bucketOf(environment)}/state --project=${project} --database=from-backup`,
        `gcloud firestore databases delete --project=${project} --database=from-backup`,
      ],
    },
  ]
}

function goBack(environment: Environment): readonly Step[] {
  const { project, name, database } = environment
  return [
    {
      title: 'A new database with its indexes, rules and backups; the functions go on with the old one',
      note: `${checkout} In cdktf/environments/${name}.ts: databases: ['${database}', '${restored}'].`,
      commands: applied(environment),
    },
    {
      title: 'The state goes into it',
      commands: [
        `gcloud firestore import ${bucketOf(environment)}/state --project=${project} --database=${restored}`,
      ],
    },
    {
      title: 'The functions change over',
      note: `${checkout} In cdktf/environments/${name}.ts: database: '${restored}'. What was written since the export is in the old database alone. Commit the change to main. Releases refuse to go back to what ran before, because those revisions write to the old database.`,
      commands: [...applied(environment), ...newestRevisions(environment)],
    },
    {
      title: 'What the restored state has forgotten ends',
      commands: [
        operatorLine({ ...environment, database: restored }),
        `node ptunctl/ptunctl.js backup settle ${moment}`,
        'node ptunctl/ptunctl.js secrets list',
        'node ptunctl/ptunctl.js relays list',
        'node ptunctl/ptunctl.js jobs dead',
      ],
    },
    {
      title: 'Once nobody needs the old state any more',
      note: `${checkout} Take the old database out of databases: Terraform forgets it, and it stays until you delete it.`,
      commands: [`gcloud storage rm --recursive ${bucketOf(environment)}`, ...applied(environment)],
    },
  ]
}

/** Applying makes new revisions and leaves the calls where a release has put them. */
function newestRevisions({ project, region }: Environment): readonly string[] {
  return Object.keys(deployments).map(
    (name) =>
      `gcloud run services update-traffic ${name.toLowerCase()} --to-latest --region=${region} --project=${project}`,
  )
}

function keyWords({ project, region }: Environment): string {
  return `--key=${signingKey} --keyring=${keyRing} --location=${region} --project=${project}`
}

function lostKey(environment: Environment): readonly Step[] {
  const words = keyWords(environment)
  return [
    {
      title: 'Which version is it',
      note: 'A disabled version can be enabled, and one that is scheduled for destruction be restored. Then nothing else is to do.',
      commands: [
        `gcloud kms keys versions list ${words}`,
        `gcloud kms keys versions enable 1 ${words}`,
        `gcloud kms keys versions restore 1 ${words}`,
      ],
    },
    {
      title: 'One that was destroyed: seal by a new one, and make anew what it had sealed',
      commands: [
        `gcloud kms keys versions create --primary ${words}`,
        operatorLine(environment),
        'node ptunctl/ptunctl.js secrets list',
        "node ptunctl/ptunctl.js secrets renew --reason 'version 1 was destroyed'",
        'node ptunctl/ptunctl.js secrets list',
        'node ptunctl/ptunctl.js certificates list',
      ],
    },
  ]
}

function rotation(environment: Environment): readonly Step[] {
  const words = keyWords(environment)
  return [
    {
      title: 'A new version seals everything',
      commands: [
        `gcloud kms keys versions create --primary ${words}`,
        operatorLine(environment),
        'node ptunctl/ptunctl.js secrets rotate',
        'node ptunctl/ptunctl.js secrets list',
      ],
    },
    {
      title: 'The old one is disabled, and destroyed when nothing missed it for a week',
      commands: [
        `gcloud kms keys versions disable 1 ${words}`,
        'node ptunctl/ptunctl.js secrets list',
        `gcloud kms keys versions destroy 1 ${words}`,
      ],
    },
  ]
}

function lostCell(environment: Environment): readonly Step[] {
  const { project, cells } = environment
  const [cell] = cells
  if (!cell) return []
  return [
    {
      title: 'Its tunnels go to another cell',
      note: 'Two minutes after the last report of its relays. Without another open cell they wait for this one.',
      commands: [
        operatorLine(environment),
        `node ptunctl/ptunctl.js relays list --cell ${cell.id}`,
        `node ptunctl/ptunctl.js cells close ${cell.id}`,
      ],
    },
    {
      title: 'New VMs, when the region is there again',
      commands: [
        ...vmsOf(cell).map(
          ({ name, zone }) =>
            `gcloud compute instance-groups managed rolling-action replace ${name} --project=${project} --zone=${zone} --max-surge=0 --max-unavailable=1`,
        ),
        `node ptunctl/ptunctl.js relays list --cell ${cell.id}`,
        `node ptunctl/ptunctl.js cells open ${cell.id}`,
      ],
    },
  ]
}

function lostDns({ name, relayDomain, project, cells }: Environment): readonly Step[] {
  const records = cells.map(({ id, host }) => `# ${host} and *.${host}: the addresses of cell ${id}`)
  return [
    {
      title: 'The token of the functions was revoked',
      note: `Raise secretVersion in cdktf/environments/${name}.ts by one, and commit that to main. Set TF_VAR_cloudflare_token to the new token: the release writes the other secrets again as they are.`,
      commands: ['export TF_VAR_cloudflare_token', `npm run release -- --env ${name}`],
    },
    {
      title: 'The token of releases was revoked',
      note: 'Set CLOUDFLARE_API_TOKEN to the new one in this shell.',
      commands: [
        `gcloud secrets versions add ${releaseSecrets.cloudflareToken} --project=${project} --data-file=- <<< "$CLOUDFLARE_API_TOKEN"`,
      ],
    },
    {
      title: `The zone ${relayDomain} at another provider, with short lives of its records`,
      note: 'These records are all that visitors and agents need. Change the name servers at the registrar last.',
      commands: [
        `gcloud compute forwarding-rules list --project=${project} --format='table(name, region, IPAddress)'`,
        `gcloud compute addresses list --project=${project} --format='table(name, region, address)'`,
        ...records,
      ],
    },
  ]
}

function lostMessages(environment: Environment): readonly Step[] {
  return [
    {
      title: 'A topic or subscription that is gone is made again',
      note: checkout,
      commands: applied(environment),
    },
    {
      title: 'What failed at every delivery is given back, once its reason is mended',
      note: 'What is replayed may come twice; nothing is done twice by it. Dead letters are kept for a week.',
      commands: [
        operatorLine(environment),
        'npm run dead-letters -w functions -- list',
        'npm run dead-letters -w functions -- replay --all',
        'node ptunctl/ptunctl.js jobs dead',
      ],
    },
  ]
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { env: { type: 'string', default: '' } },
  })
  const wanted = recoveryNames.find((name) => name === positionals[0])
  if (!wanted) throw new Error(`Name what was lost: ${recoveryNames.join(', ')}`)
  process.stdout.write(`\n# In each shell, at the top of the checkout after npm ci\n${inEachShell}\n`)
  recoveryOf(wanted, readEnvironment(values.env)).forEach(({ title, note, commands }, index) => {
    const words = note === undefined ? [] : [`# ${note}`]
    process.stdout.write(`\n# ${index + 1}. ${title}\n${[...words, ...commands].join('\n')}\n`)
  })
}
