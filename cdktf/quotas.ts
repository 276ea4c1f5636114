/**
 * Compares what a new project may have, by docs/cloud-resources.md, with what an environment asks for: an apply
 * that passes a
 * quota fails in the middle. `npm run cloud:plan` prints the figures, and a policy holds them for our environments.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { part, parts, type Settings, type Stacks } from './testing/policy.ts'

export type QuotaUse = {
  /** Google's name for it. */
  readonly quota: string
  /** A region, or the project. */
  readonly place: string
  readonly used: number
  readonly max: number
}

const page = readFileSync(join(import.meta.dirname, '../docs/cloud-resources.md'), 'utf8')

/** @throws Error when the page does not say it any more */
function maxOf(quota: string): number {
  const [, text] = new RegExp(`^\\| \`${quota}\` \\|[^|]*\\| ([\\d,]+) \\|$`, 'm').exec(page) ?? []
  if (text === undefined) throw new Error(`docs/cloud-resources.md has no quota ${quota}`)
  return Number(text.replaceAll(',', ''))
}

/** `e2-standard-2` has two; the small ones share two. */
function processors({ machine_type: type }: Settings): number {
  return Number(/-(\d+)$/.exec(String(type))?.[1] ?? 2)
}

function sum(list: readonly Settings[], of: (settings: Settings) => number): number {
  return list.reduce((total, settings) => total + of(settings), 0)
}

/** The more of a quota is used, the earlier it comes. */
export function quotaUse(stacks: Stacks): readonly QuotaUse[] {
  const all = (type: string) => stacks.of(type).map(([, settings]) => settings)
  const templates = all('google_compute_instance_template')
  const addresses = all('google_compute_address')
  const regions = [...new Set(templates.map(({ region }) => String(region)))]
  const inRegions = regions.flatMap((place) => {
    const here = (settings: Settings) => settings.region === place
    const machines = templates.filter(here)
    // A VM that has the cell's address uses no other.
    const own = machines.filter((machine) =>
      parts(part(machine, 'network_interface'), 'access_config').some(({ nat_ip: given }) => !given),
    )
    const used = {
      CPUS: sum(machines, processors),
      IN_USE_ADDRESSES: own.length + addresses.filter(here).length,
      STATIC_ADDRESSES: addresses.filter(here).length,
      SSD_TOTAL_GB: sum(machines, (machine) =>
        sum(parts(machine, 'disk'), ({ disk_size_gb: size }) => Number(size)),
      ),
    }
    return Object.entries(used).map(([quota, count]) => ({ quota, place, used: count }))
  })
  const counted = {
    FORWARDING_RULES: all('google_compute_forwarding_rule'),
    FIREWALLS: all('google_compute_firewall'),
    INSTANCE_TEMPLATES: templates,
    'service accounts': all('google_service_account'),
    'composite indexes': all('google_firestore_index'),
  }
  const inProject = Object.entries(counted).map(([quota, list]) => ({
    quota,
    place: 'project',
    used: list.length,
  }))
  return [...inRegions, ...inProject]
    .map((use) => ({ ...use, max: maxOf(use.quota) }))
    .toSorted((a, b) => b.used / b.max - a.used / a.max)
}
