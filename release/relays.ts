/**
 * Replaces relay VMs, each the one of its group. The groups are OPPORTUNISTIC, so nothing but this replaces a VM on
 * purpose: it drains (shutdown.sh), goes, and comes again under its name from the newest template.
 */
import { sleep } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { z } from 'zod'
import { type Vm, vmsOf } from '../cdktf/names.ts'
import { ask, type Command } from './command.ts'
import type { Release } from './release.ts'

/** Booting, fetching programs and the start of relays take two minutes; the group's own patience is seven. */
const readyMinutes = 10
const stableMinutes = 15
const lookEveryMs = 10_000

const attributesSchema = z.array(z.looseObject({ value: z.string() }))
const healthSchema = z.array(
  z.looseObject({
    backend: z.string(),
    status: z.looseObject({
      healthStatus: z.array(z.looseObject({ healthState: z.string() })).default([]),
    }),
  }),
)

/** The first VM of each cell tries the new version; a cell with one VM has no other. */
export function canaries({ environment }: Release): readonly Vm[] {
  return environment.cells.flatMap((cell) => vmsOf(cell).slice(0, 1))
}

export function others({ environment }: Release): readonly Vm[] {
  return environment.cells.flatMap((cell) => vmsOf(cell).slice(1))
}

/**
 * Replaces VMs one after the other, and looks at each before the next.
 * @throws release.relay when one does not come back
 */
export async function replaceVms(release: Release, vms: readonly Vm[]): Promise<void> {
  for (const vm of vms) {
    // Before it is done: a crash in the middle leaves a VM that a rollback has to replace too.
    const { replaced } = release.state
    if (!replaced.includes(vm.name)) await release.note({ replaced: [...replaced, vm.name] })
    await replaceVm(release, vm)
  }
}

export async function replaceVm(release: Release, vm: Vm): Promise<void> {
  const group = [vm.name, `--zone=${vm.zone}`, `--project=${release.environment.project}`]
  const inGroup = (verb: string, ...args: string[]) => [
    'compute',
    'instance-groups',
    'managed',
    verb,
    ...group,
    ...args,
  ]
  await release.run({
    program: 'gcloud',
    args: inGroup(
      'update-instances',
      '--all-instances',
      '--minimal-action=replace',
      '--most-disruptive-allowed-action=replace',
    ),
    why: `replaces relay VM ${vm.name}`,
  })
  try {
    await release.run({
      program: 'gcloud',
      args: inGroup('wait-until', '--stable', `--timeout=${stableMinutes * 60}`),
      why: `waits until ${vm.name} is back`,
      minutes: stableMinutes + 1,
    })
  } catch (error) {
    if (!isFailure(error, 'release.command') || release.signal.aborted) throw error
    throw fail('release.relay', `${vm.name} was replaced and is not stable: ${error.detail}`, {
      cause: error,
    })
  }
  await waitUntilReady(release, vm)
  await checkBalancer(release, vm)
}

/** start-up.sh writes this last, once each relay of the VM says that it is ready. */
async function waitUntilReady(release: Release, vm: Vm): Promise<void> {
  const instance = await instanceOf(release, vm)
  const wanted = `ready ${vm.cell.relays}`
  const until = release.clock.monotonic() + readyMinutes * 60_000
  for (;;) {
    const said = await stateOf(release, vm, instance)
    if (said === wanted) return
    if (release.clock.monotonic() >= until)
      throw fail(
        'release.relay',
        `${vm.name} says ${said ?? 'nothing'} after ${readyMinutes} min, not ${wanted}`,
      )
    await sleep(release.clock, lookEveryMs, release.signal)
  }
}

const instancesSchema = z.array(z.looseObject({ instance: z.string() })).length(1)

/** The group makes up the end of an instance's name. */
async function instanceOf({ run, environment }: Release, vm: Vm): Promise<string> {
  const [made] = await ask(run, instancesSchema, {
    program: 'gcloud',
    args: [
      'compute',
      'instance-groups',
      'managed',
      'list-instances',
      vm.name,
      `--zone=${vm.zone}`,
      `--project=${environment.project}`,
      '--format=json(instance)',
    ],
    why: `the instance of ${vm.name}`,
  })
  return made?.instance.split('/').at(-1) ?? vm.name
}

async function stateOf({ run, environment }: Release, vm: Vm, instance: string): Promise<string | undefined> {
  const command: Command = {
    program: 'gcloud',
    args: [
      'compute',
      'instances',
      'get-guest-attributes',
      instance,
      '--query-path=porttunneler/state',
      `--zone=${vm.zone}`,
      `--project=${environment.project}`,
      '--format=json',
    ],
    why: `whether the relays of ${vm.name} are ready`,
  }
  try {
    return (await ask(run, attributesSchema, command)).at(0)?.value
  } catch (error) {
    // A VM that has just booted has written none yet.
    if (isFailure(error, 'release.command') && /not found|notFound|404/.test(String(error.fields.lastWords)))
      return undefined
    throw error
  }
}

/** Where several VMs stand behind a balancer, it has to send visitors to this one again. */
async function checkBalancer(release: Release, vm: Vm): Promise<void> {
  if (vm.cell.zones.length === 1) return
  const { project } = release.environment
  const until = release.clock.monotonic() + readyMinutes * 60_000
  for (;;) {
    const backends = await ask(release.run, healthSchema, {
      program: 'gcloud',
      args: [
        'compute',
        'backend-services',
        'get-health',
        `cell-${vm.cell.id}`,
        `--region=${vm.cell.region}`,
        `--project=${project}`,
        '--format=json',
      ],
      why: `whether visitors of cell ${vm.cell.id} get to ${vm.name}`,
    })
    const mine = backends.find(({ backend }) => backend.split('/').at(-1) === vm.name)
    const states = mine?.status.healthStatus.map(({ healthState }) => healthState) ?? []
    if (states.length > 0 && states.every((state) => state === 'HEALTHY')) return
    if (release.clock.monotonic() >= until)
      throw fail('release.relay', `The balancer of cell ${vm.cell.id} does not send visitors to ${vm.name}`)
    await sleep(release.clock, lookEveryMs, release.signal)
  }
}
