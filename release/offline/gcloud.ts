/** Stands in for gcloud: the verbs that a release uses, with the flags that each takes. */
import { createHash } from 'node:crypto'
import type { Command } from '../command.ts'
import { ended, refused, type World } from './world.ts'

type Words = { readonly names: readonly string[]; readonly flags: ReadonlyMap<string, string> }
type Verb = {
  /** Flags that it takes, those with `!` always. */
  readonly flags: readonly string[]
  /** How many names follow the verb. */
  readonly names: number
  readonly act: (world: World, words: Words, command: Command) => string
}

const placed = ['zone!', 'project!']

const verbs: Readonly<Record<string, Verb>> = {
  'auth print-access-token': { flags: [], names: 0, act: () => 'token\n' },
  'secrets versions access': {
    flags: ['secret!', 'project!'],
    names: 1,
    act: (_, { flags }) => `value of ${flags.get('secret')}\n`,
  },
  'kms asymmetric-sign': {
    flags: ['key!', 'keyring!', 'version!', 'location!', 'project!', 'input-file!', 'signature-file!'],
    names: 0,
    act: (world) => {
      world.isSigned = true
      return ''
    },
  },
  'storage cat': {
    flags: [],
    names: 1,
    act: ({ objects }, { names: [from = ''] }, command) => {
      const [address = '', generation] = from.split('#')
      const found = objects.get(address)
      if (
        found === undefined ||
        (generation ?? objects.generationOf(address)) !== objects.generationOf(address)
      )
        throw ended(
          command,
          `ERROR: (gcloud.storage.cat) The following URLs matched no objects or files:\n${from}`,
        )
      return found
    },
  },
  'storage objects describe': {
    flags: ['format!'],
    names: 1,
    act: ({ objects }, { names: [address = ''] }, command) => {
      const found = objects.get(address)
      if (found === undefined) throw ended(command, `ERROR: (gcloud) ${address} not found: 404.`)
      const md5_hash = createHash('md5').update(found).digest('base64')
      return JSON.stringify({ generation: objects.generationOf(address), md5_hash })
    },
  },
  'storage cp': { flags: ['no-clobber', 'if-generation-match'], names: 2, act: copy },
  'storage rm': {
    flags: ['if-generation-match'],
    names: 1,
    act: ({ objects }, { names: [from = ''], flags }, command) => {
      requireGeneration(objects.generationOf(from), flags, command)
      if (!objects.delete(from)) throw ended(command, 'The following URLs matched no objects or files')
      return ''
    },
  },
  'run services list': {
    flags: ['region!', 'project!', 'format!'],
    names: 0,
    act: ({ services }) => JSON.stringify([...services.keys()].map((name) => ({ metadata: { name } }))),
  },
  'run services describe': { flags: ['region!', 'project!', 'format!'], names: 1, act: describeService },
  'run revisions describe': { flags: ['region!', 'project!', 'format!'], names: 1, act: describeRevision },
  'run services update-traffic': {
    flags: ['region!', 'project!', 'to-revisions!'],
    names: 1,
    act: moveTraffic,
  },
  'compute instance-groups managed update-instances': {
    flags: [...placed, 'all-instances!', 'minimal-action!', 'most-disruptive-allowed-action!'],
    names: 1,
    act: (world, words, command) => {
      world.replace(vmOf(world, words, command).name)
      return ''
    },
  },
  'compute instance-groups managed wait-until': {
    flags: [...placed, 'stable!', 'timeout!'],
    names: 1,
    act: (world, words, command) => {
      vmOf(world, words, command)
      return ''
    },
  },
  'compute instance-groups managed list-instances': {
    flags: [...placed, 'format!'],
    names: 1,
    act: (world, words, command) => {
      const { zone, name } = vmOf(world, words, command)
      return JSON.stringify([
        { instance: `https://www.googleapis.com/compute/v1/projects/p/zones/${zone}/instances/${name}-x1y2` },
      ])
    },
  },
  'compute instances get-guest-attributes': {
    flags: [...placed, 'query-path!', 'format!'],
    names: 1,
    act: (world, words, command) => {
      const vm = vmOf(world, { ...words, names: [words.names[0]?.replace(/-x1y2$/, '') ?? ''] }, command)
      return JSON.stringify([{ namespace: 'porttunneler', key: 'state', value: world.stateOf(vm) }])
    },
  },
  'compute backend-services get-health': {
    flags: ['region!', 'project!', 'format!'],
    names: 1,
    act: ({ allVms }, { names: [service = ''] }) =>
      JSON.stringify(
        allVms
          .filter(({ cell }) => `cell-${cell.id}` === service)
          .map(({ name, zone }) => ({
            backend: `https://www.googleapis.com/compute/v1/projects/p/zones/${zone}/instanceGroups/${name}`,
            status: { healthStatus: [{ healthState: 'HEALTHY' }] },
          })),
      ),
  },
}

export function gcloud(world: World, command: Command): string {
  const verb = Object.keys(verbs).find((name) => `${command.args.join(' ')} `.startsWith(`${name} `))
  const known = verb === undefined ? undefined : verbs[verb]
  if (verb === undefined || !known) throw refused(command, 'an unknown verb')
  const rest = command.args.slice(verb.split(' ').length)
  const isFlag = (word: string) => word.startsWith('--')
  const names = rest.filter((word) => !isFlag(word))
  const flags = new Map(
    rest.filter(isFlag).map((word) => {
      const [name = '', ...value] = word.slice(2).split('=')
      return [name, value.join('=')]
    }),
  )
  if (names.length !== known.names) throw refused(command, `${names.length} names`)
  const [taken, needed] = [
    known.flags.map((flag) => flag.replace('!', '')),
    known.flags.filter((flag) => flag.endsWith('!')),
  ]
  for (const flag of flags.keys()) if (!taken.includes(flag)) throw refused(command, `no flag --${flag}`)
  for (const flag of needed) if (!flags.has(flag.slice(0, -1))) throw refused(command, `--${flag} is missing`)
  const { project, region } = world.environment
  if (flags.has('project') && flags.get('project') !== project) throw refused(command, 'another project')
  if (verb.startsWith('run ') && flags.get('region') !== region) throw refused(command, 'another region')
  return known.act(world, { names, flags }, command)
}

function copy(
  { objects, files, synthesised, isSigned }: World,
  { names, flags }: Words,
  command: Command,
): string {
  const [from = '', to = ''] = names
  if (from === '-' && command.input === undefined) throw refused(command, 'nothing to read')
  if (from.includes('SHA256SUMS') && !isSigned) throw ended(command, 'there is no signature')
  const readFile = () =>
    from.endsWith('/relays/cdk.tf.json') ? JSON.stringify(synthesised) : `content of ${from}`
  const content = from === '-' ? command.input : from.startsWith('gs://') ? objects.get(from) : readFile()
  if (content === undefined) throw ended(command, `The following URLs matched no objects or files: ${from}`)
  if (to.startsWith('gs://')) requireGeneration(objects.generationOf(to), flags, command)
  if (!to.startsWith('gs://')) files.set(to, content)
  else if (!flags.has('no-clobber') || !objects.has(to)) objects.set(to, content)
  return ''
}

function requireGeneration(generation: string, flags: Words['flags'], command: Command): void {
  if ((flags.get('if-generation-match') ?? generation) !== generation)
    throw ended(command, 'HTTPError 412: At least one of the pre-conditions you specified did not hold.')
}

function describeService({ services }: World, { names: [name = ''] }: Words, command: Command): string {
  const service = services.get(name)
  if (!service) throw ended(command, `Cannot find service [${name}]`)
  const traffic = Object.entries(service.traffic).map(([revisionName, percent]) => ({
    revisionName,
    percent,
  }))
  return JSON.stringify({ status: { latestReadyRevisionName: service.revisions.at(-1)?.name, traffic } })
}

function describeRevision({ services }: World, { names: [name = ''] }: Words, command: Command): string {
  const found = [...services.values()]
    .flatMap(({ revisions }) => revisions)
    .find((revision) => revision.name === name)
  if (!found) throw ended(command, `Cannot find revision [${name}]`)
  const env = [
    { name: 'PORTTUNNELER_DATABASE', value: found.database },
    // As Google shows one that comes from a secret.
    { name: 'STRIPE_WEBHOOK_SECRET', valueFrom: { secretKeyRef: { key: '1', name: 'stripe-webhook' } } },
  ]
  return JSON.stringify({ metadata: { name }, spec: { containers: [{ env }] } })
}

function moveTraffic({ services }: World, { names: [name = ''], flags }: Words, command: Command): string {
  const service = services.get(name)
  if (!service) throw ended(command, `Cannot find service [${name}]`)
  const shares = (flags.get('to-revisions') ?? '').split(',').map((part) => part.split('='))
  const traffic: Record<string, number> = Object.fromEntries(
    shares.map(([revision, percent]) => [revision, Number(percent)]),
  )
  const sum = Object.values(traffic).reduce((total, percent) => total + percent, 0)
  if (sum !== 100) throw refused(command, `${sum} % together`)
  for (const revision of Object.keys(traffic))
    if (!service.revisions.some((one) => one.name === revision))
      throw ended(command, `No revision ${revision}`)
  service.traffic = traffic
  return ''
}

function vmOf(world: World, { names: [name = ''], flags }: Words, command: Command) {
  const vm = world.allVms.find((one) => one.name === name && one.zone === flags.get('zone'))
  if (!vm) throw ended(command, `The resource ${name} was not found`)
  return vm
}
