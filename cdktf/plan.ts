/**
 * Prints what an environment consists of, from a clean checkout and without any credentials: the real Terraform plans
 * it against providers that know the schemas and believe that nothing exists. `npm run cloud:plan -- --env prod`.
 */
import process from 'node:process'
import { z } from 'zod'
import { runFor } from './command.ts'
import type { Environment } from './environment.ts'
import { terraformMissing, Workbench } from './offline/workbench.ts'
import { quotaUse } from './quotas.ts'
import { secrets } from './secrets.ts'
import { stacksOf } from './testing/policy.ts'

const planSchema = z.object({
  resource_changes: z
    .array(
      z.object({
        type: z.string(),
        change: z.object({ after: z.record(z.string(), z.unknown()).nullable() }),
      }),
    )
    .default([]),
})
const namesShown = 4
/** Secrets are asked for by variables; for this plan any text will do. */
const noSecrets = Object.fromEntries(Object.values(secrets).map(({ variable }) => [variable, 'none']))
const keys = [
  'name',
  'account_id',
  'service',
  'secret_id',
  'setting_id',
  'display_name',
  'role',
  'workload_identity_pool_id',
]

type Change = z.output<typeof planSchema>['resource_changes'][number]

function nameOf({ change }: Change): string {
  const { after } = change
  if (after?.collection !== undefined)
    return `${after.collection}${after.field === undefined ? '' : `.${after.field}`}`
  const found = keys.map((key) => after?.[key]).find((value) => typeof value === 'string')
  return typeof found === 'string' ? found : ''
}

/** One line for each type: how many, and the names of the first. */
function linesOf(changes: readonly Change[]): readonly string[] {
  const byType = Map.groupBy(changes, ({ type }) => type)
  return [...byType].sort().map(([type, list]) => {
    const names = [...new Set(list.map(nameOf))].filter((name) => name !== '')
    const more = names.length > namesShown ? `, … ${names.length - namesShown} more` : ''
    return `  ${type.padEnd(46)} ${String(list.length).padStart(4)}  ${names.slice(0, namesShown).join(', ')}${more}`
  })
}

async function print(environment: Environment): Promise<void> {
  const { name, project, region, cells, consoleHost } = environment
  process.stdout.write(`${name}: project ${project} in ${region}, console at https://${consoleHost}\n`)
  for (const { id, host, zones, machineType, relays } of cells)
    process.stdout.write(`cell ${id}: ${host}, ${machineType} with ${relays} relays in ${zones.join(', ')}\n`)
  using bench = await new Workbench(environment).open()
  let total = 0
  for (const stack of bench.names) {
    await bench.terraform(stack, ['init'])
    await bench.terraform(stack, ['plan', '-out=plan'], noSecrets)
    const { resource_changes } = planSchema.parse(
      JSON.parse(await bench.terraform(stack, ['show', '-json', 'plan'])),
    )
    const made = resource_changes.filter(({ change }) => change.after !== null)
    total += made.length
    process.stdout.write(`\n${stack}: ${made.length} to add\n${linesOf(made).join('\n')}\n`)
  }
  process.stdout.write(`\n${total} to add, if nothing exists yet.\n`)
  process.stdout.write('\nQuotas of a new project; ask Google for more where it says so:\n')
  for (const { quota, place, used, max } of quotaUse(stacksOf(bench.names.map((stack) => bench.read(stack)))))
    process.stdout.write(
      `  ${quota.padEnd(20)} ${place.padEnd(14)} ${String(used).padStart(4)} of ${max}${used > max ? ': ask for more' : ''}\n`,
    )
}

const missing = terraformMissing()
if (missing) {
  process.stderr.write(`${missing}\n`)
  process.exitCode = 1
} else await runFor(print)
