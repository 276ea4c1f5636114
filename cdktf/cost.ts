/**
 * Computes what an environment costs a month, from its synthesised resources and the prices of docs/cost.md:
 * `npm run cloud:cost -- --env prod --tunnels 1000`. Prices are list prices, so this is an estimate.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { z } from 'zod'
import { runFor } from './command.ts'
import type { Environment } from './environment.ts'
import { Workbench } from './offline/workbench.ts'

export type CostLine = { readonly what: string; readonly dollars: number }

/** Traffic of a tunnel in a month, as docs/cost.md has it. */
const tunnelGiB = 2
const rulesIncluded = 5

const page = readFileSync(join(import.meta.dirname, '../docs/cost.md'), 'utf8')

/** @throws Error when the page does not say it any more */
function price(pattern: RegExp): number {
  const [, text] = pattern.exec(page) ?? []
  if (text === undefined) throw new Error(`docs/cost.md has no price like ${pattern}`)
  return Number(text)
}

function machinePrice(type: string): number {
  return price(new RegExp(`\`${type}\` \\$(\\d+(?:\\.\\d+)?)`))
}

/** @param tunnels those that exist; a fifth of them carries traffic */
export function costOf(environment: Environment, tunnels: number): readonly CostLine[] {
  using bench = new Workbench(environment)
  const relays = bench.read('relays').resource
  const count = (type: string) => Object.keys(relays[type] ?? {}).length
  const machines = Object.values(relays.google_compute_instance_template ?? {})
  const rules = count('google_compute_forwarding_rule')
  const traffic = tunnels * tunnelGiB
  const [disk, address] = [
    price(/20 GB, its address\s*\| \$([\d.]+)/),
    price(/20 GB, its address\s*\| \$[\d.]+ and \$([\d.]+)/),
  ]
  const [five, further] = [price(/\$(\d+) for five/), price(/then \$([\d.]+) each/)]
  const balanced =
    rules === 0
      ? 0
      : five + Math.max(0, rules - rulesIncluded) * further + traffic * price(/\$([\d.]+) a GiB/)
  return [
    {
      what: `control plane for ${tunnels} tunnels`,
      dollars: price(/cost about \$(\d+) whether/) + tunnels * price(/each tunnel adds \$(\d+\.\d+)/),
    },
    {
      what: `${machines.length} relay VMs with disks`,
      dollars: machines.reduce((sum, { machine_type }) => sum + machinePrice(String(machine_type)) + disk, 0),
    },
    // A VM has one of its own; behind a balancer the cell has one more.
    { what: 'addresses', dollars: (machines.length + rules) * address },
    { what: `${rules} balancers`, dollars: balanced },
    {
      what: `traffic to the internet, ${tunnelGiB} GiB a tunnel`,
      dollars: traffic * price(/\$([\d.]+) a GiB, falling/),
    },
  ]
}

function print(environment: Environment, tunnels: number): void {
  const lines = costOf(environment, tunnels)
  const sum = lines.reduce((total, { dollars }) => total + dollars, 0)
  for (const { what, dollars } of [...lines, { what: `${environment.name}, a month`, dollars: sum }])
    process.stdout.write(`${what.padEnd(44)} $${dollars.toFixed(2).padStart(10)}\n`)
  const { budgetDollars } = environment
  if (sum > budgetDollars)
    process.stdout.write(
      `That is more than its budget of $${budgetDollars}: raise budgetDollars, or expect mails.\n`,
    )
}

if (import.meta.main)
  await runFor(
    (environment, { tunnels }) =>
      print(environment, z.coerce.number().int().min(0).max(10_000_000).parse(tunnels)),
    { tunnels: { type: 'string', default: '1000' } },
  )
