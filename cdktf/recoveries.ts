/**
 * What an operator does after a loss, in order, with every command: `npm run cloud:recover -- --env prod database`. It
 * only prints: most lines take minutes, and each has a result to look at before the next. docs/disaster.md says what
 * users see meanwhile.
 */
import process from 'node:process'
import { parseArgs } from 'node:util'
import type { Environment } from './environment.ts'
import type { Step } from './first-steps.ts'
import { keyRing, signingKey, vmsOf } from './names.ts'
import { readEnvironment } from './read-environment.ts'

export const recoveryNames = ['database', 'backup', 'key', 'rotation', 'cell', 'dns'] as const
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
  }
}

const bucketOf = ({ project }: Environment) => `gs://${project}-restore`
const apply = 'terraform -chdir=cdktf/cdktf.out/stacks/control apply'
const synth = ({ name }: Environment) => `npm run cloud:synth -- --env ${name}`

function variables({ project, consoleHost }: Environment): string {
  return `export GOOGLE_CLOUD_PROJECT=${project} PORTTUNNELER_URL=https://${consoleHost}`
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
      note: `In cdktf/environments/${name}.ts: databases: ['${database}', '${restored}'].`,
      commands: [synth(environment), apply],
    },
    {
      title: 'The state goes into it',
      commands: [
        `gcloud firestore import ${bucketOf(environment)}/state --project=${project} --database=${restored}`,
      ],
    },
    {
      title: 'The functions change over',
      note: `In cdktf/environments/${name}.ts: database: '${restored}'. What was written since the export is in the old database alone.`,
      commands: [synth(environment), apply],
    },
    {
      title: 'What the restored state has forgotten ends',
      commands: [
        variables(environment),
        `export PORTTUNNELER_DATABASE=${restored}`,
        `ptunctl backup settle ${moment}`,
        'ptunctl secrets list',
        'ptunctl relays list',
        'ptunctl jobs dead',
      ],
    },
    {
      title: 'Once nobody needs the old state any more',
      note: `Take the old database out of databases: Terraform forgets it, and it stays until you delete it.`,
      commands: [`gcloud storage rm --recursive ${bucketOf(environment)}`, synth(environment), apply],
    },
  ]
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
        variables(environment),
        'ptunctl secrets list',
        "ptunctl secrets renew --reason 'version 1 was destroyed'",
        'ptunctl secrets list',
        'ptunctl certificates list',
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
        variables(environment),
        'ptunctl secrets rotate',
        'ptunctl secrets list',
      ],
    },
    {
      title: 'The old one is disabled, and destroyed when nothing missed it for a week',
      commands: [
        `gcloud kms keys versions disable 1 ${words}`,
        'ptunctl secrets list',
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
        variables(environment),
        `ptunctl relays list --cell ${cell.id}`,
        `ptunctl cells close ${cell.id}`,
      ],
    },
    {
      title: 'New VMs, when the region is there again',
      commands: [
        ...vmsOf(cell).map(
          ({ name, zone }) =>
            `gcloud compute instance-groups managed rolling-action replace ${name} --project=${project} --zone=${zone} --max-surge=0 --max-unavailable=1`,
        ),
        `ptunctl relays list --cell ${cell.id}`,
        `ptunctl cells open ${cell.id}`,
      ],
    },
  ]
}

function lostDns({ name, relayDomain, project, cells }: Environment): readonly Step[] {
  const records = cells.map(({ id, host }) => `# ${host} and *.${host}: the addresses of cell ${id}`)
  return [
    {
      title: 'A token that was revoked',
      note: `Raise secretVersion in cdktf/environments/${name}.ts by one.`,
      commands: ['export TF_VAR_cloudflare_token', `npm run cloud:synth -- --env ${name}`, apply],
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

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { env: { type: 'string', default: '' } },
  })
  const wanted = recoveryNames.find((name) => name === positionals[0])
  if (!wanted) throw new Error(`Name what was lost: ${recoveryNames.join(', ')}`)
  recoveryOf(wanted, readEnvironment(values.env)).forEach(({ title, note, commands }, index) => {
    const words = note === undefined ? [] : [`# ${note}`]
    process.stdout.write(`\n# ${index + 1}. ${title}\n${[...words, ...commands].join('\n')}\n`)
  })
}
