/** Plans and applies the stacks. Applying replaces no VM and moves no calls: later steps do. */
import { fail } from '@porttunneler/shared/base/errors'
import { z } from 'zod'
import { releaseSecrets } from '../../cdktf/names.ts'
import { secrets } from '../../cdktf/secrets.ts'
import { ask, type Command } from '../command.ts'
import { servingDatabase } from '../database.ts'
import type { Release, Step } from '../release.ts'
import { existingServices, moveTraffic, trafficOf } from '../traffic.ts'
import { relayList } from './archives.ts'
import { readWebVersion } from './web.ts'

/** In the order of cdktf/stacks/all.ts; a test compares. */
export const stacks = [
  'project',
  'network',
  'identity',
  'control',
  'relays',
  'edge',
  'observability',
] as const
const planFile = 'release.tfplan'
const minutes = 60
const changesShown = 40

/** Every release makes new ones of these; what they hold is in the files of the stack. */
const replaceable = [
  'google_compute_instance_template',
  'google_secret_manager_secret_version',
  'google_firebaserules_ruleset',
]

const planSchema = z.looseObject({
  resource_changes: z
    .array(
      z.looseObject({
        address: z.string(),
        type: z.string(),
        change: z.looseObject({ actions: z.array(z.string()) }),
      }),
    )
    .default([]),
})
type Change = z.output<typeof planSchema>['resource_changes'][number]

/** Where the files of a stack are. */
const outOf = (stack: string) => `cdktf/cdktf.out/stacks/${stack}`

/** What Terraform would take away, by address. */
export function destroyed(changes: readonly Change[]): readonly string[] {
  return changes
    .filter(({ type, change }) => change.actions.includes('delete') && !replaceable.includes(type))
    .map(({ address, change }) => `${address} (${change.actions.length > 1 ? 'replaced' : 'deleted'})`)
}

/**
 * Secrets that a stack asks for at each plan and apply: their newest versions, but for those that whoever releases has
 * set in the environment, as it has to be for a secret that does not exist yet.
 */
async function secretsOf(release: Release, stack: string): Promise<Record<string, string>> {
  const { run, environment, wishes } = release
  const wanted = Object.entries(variablesOf(stack)).filter(([variable]) => !wishes.given.includes(variable))
  const values: Record<string, string> = {}
  for (const [variable, secret] of wanted) {
    const value = await run({
      program: 'gcloud',
      args: [
        'secrets',
        'versions',
        'access',
        'latest',
        `--secret=${secret}`,
        `--project=${environment.project}`,
      ],
      printsSecrets: true,
      why: `the value of ${variable}, which is not set here`,
    })
    values[variable] = value.trim()
  }
  return values
}

/** The secret behind each variable that a stack reads. */
export function variablesOf(stack: string): Readonly<Record<string, string>> {
  if (stack === 'edge') return { CLOUDFLARE_API_TOKEN: releaseSecrets.cloudflareToken }
  if (stack !== 'control') return {}
  return Object.fromEntries(Object.values(secrets).map(({ id, variable }) => [`TF_VAR_${variable}`, id]))
}

const terraform = (folder: string, why: string, ...args: string[]): Command => ({
  program: 'terraform',
  args: [`-chdir=${folder}`, ...args],
  why,
  minutes,
})

export const plan: Step = {
  name: 'plan',
  title: 'Terraform says what would change, and nothing is lost by it',
  neededUntil: 'apply',
  async run(release) {
    const { run, environment, state, records, wishes, say } = release
    if (!state.archives) throw new Error('Stacks are planned before the archives are built')
    const serving = await servingDatabase(release)
    if (serving !== undefined && serving !== environment.database)
      throw fail(
        'release.database',
        `Calls are answered from the database ${serving}, and this commit says ${environment.database}.`,
      )
    await run({
      program: 'node',
      args: [
        ...['cdktf/main.ts', '--env', environment.name],
        ...['--functions', state.archives.functions, '--relays', relayList],
      ],
      why: 'writes the stacks with these archives',
    })
    const lost: string[] = []
    for (const stack of stacks) {
      await run(terraform(outOf(stack), `stack ${stack}`, 'init', '-input=false', '-no-color'))
      await run({
        ...terraform(
          outOf(stack),
          `what changes in ${stack}`,
          'plan',
          '-input=false',
          '-no-color',
          `-out=${planFile}`,
        ),
        secrets: await secretsOf(release, stack),
      })
      const shown: Command = {
        ...terraform(outOf(stack), 'the same for programs', 'show', '-json', planFile),
        printsSecrets: true,
      }
      const { resource_changes: changes } = await ask(run, planSchema, shown)
      say(`${stack}: ${summaryOf(changes)}`)
      lost.push(...destroyed(changes).map((line) => `${stack}: ${line}`))
    }
    if (lost.length > 0 && !wishes.allowDestroy) throw fail('release.destroys', lost.join('\n'))
    await run({
      program: 'gcloud',
      args: ['storage', 'cp', `${outOf('relays')}/cdk.tf.json`, records.relaysOf(state.id)],
      why: 'keeps the stack of relays, which a rollback to this release applies',
    })
  },
}

/** What a person should see before it happens: every change, by address. */
function summaryOf(changes: readonly Change[]): string {
  const lines = changes
    .filter(({ change }) => change.actions.some((action) => action !== 'no-op' && action !== 'read'))
    .map(({ address, change }) => `${change.actions.join(', then ')} ${address}`)
  const more = lines.length > changesShown ? [`and ${lines.length - changesShown} more`] : []
  return [
    lines.length === 0 ? 'no changes' : `${lines.length} to change`,
    ...lines.slice(0, changesShown),
    ...more,
  ].join('\n  ')
}

/** Without it, applying would move all calls to the new revisions at once. */
export const hold: Step = {
  name: 'hold',
  title: 'All calls stay with the revisions that have them now',
  async run(release) {
    // A crash after apply must not take the new revisions for the old ones.
    if (release.state.before === undefined) {
      const revisions: Record<string, string> = {}
      for (const service of await existingServices(release))
        revisions[service] = (await trafficOf(release, service)).most
      const web = await readWebVersion(release)
      await release.note({ before: { revisions, ...(web !== undefined && { web }) } })
    }
    for (const [service, revision] of Object.entries(release.state.before?.revisions ?? {}))
      await moveTraffic(release, service, { [revision]: 100 })
  },
}

export const apply: Step = {
  name: 'apply',
  title: 'The stacks are applied; VMs and calls stay as they are',
  async run(release) {
    for (const stack of stacks) {
      const secrets = await secretsOf(release, stack)
      // Stops here when another run has taken over: it may have applied an earlier stack of relays.
      await release.note({})
      await release.run({
        ...terraform(
          outOf(stack),
          `applies ${stack} as planned`,
          'apply',
          '-input=false',
          '-no-color',
          planFile,
        ),
        secrets,
      })
    }
    const revisions: Record<string, string> = {}
    for (const service of await existingServices(release))
      revisions[service] = (await trafficOf(release, service)).latest
    await release.note({ revisions })
  },
}

/**
 * Applies the relays' stack of an earlier release, so that new VMs are made as they were then: also those that the
 * group replaces by itself.
 */
export async function applyRelaysOf(release: Release, id: string): Promise<void> {
  const folder = `cdktf/cdktf.out/rollback/${id}`
  const { run, records } = release
  release.makeFolder(folder)
  await run({
    program: 'gcloud',
    args: ['storage', 'cp', records.relaysOf(id), `${folder}/cdk.tf.json`],
    why: `the relays as release ${id} made them`,
  })
  await run(terraform(folder, 'stack relays', 'init', '-input=false', '-no-color'))
  await run(terraform(folder, 'applies it', 'apply', '-input=false', '-no-color', '-auto-approve'))
}
