/** Stands in for every program of a release but gcloud. */
import { parseArgs } from 'node:util'
import { z } from 'zod'
import type { Command, ProgramName, Run } from '../command.ts'
import { relayList } from '../steps/archives.ts'
import { stacks, variablesOf } from '../steps/stacks.ts'
import { gcloud } from './gcloud.ts'
import { type Archives, callsOfRevision, ended, hash, refused, type World } from './world.ts'

type Program = (world: World, command: Command) => string

const programs: Readonly<Record<ProgramName, Program>> = {
  curl,
  firebase,
  gcloud,
  gh,
  git,
  node,
  npm,
  sha256sum,
  terraform,
}

/** Answers every command from the world. */
export function standIns(world: World): Run {
  return async (command) => {
    const { fails } = world.faults
    if (fails !== undefined && [command.program, ...command.args].join(' ').includes(fails))
      throw ended(command, 'as the drill wants it')
    return programs[command.program](world, command)
  }
}

const exactly: Program = (_, command) => {
  throw refused(command, 'not one of those that a release uses')
}

function git(world: World, command: Command): string {
  const { commit, faults } = world
  switch (command.args.join(' ')) {
    case 'rev-parse HEAD':
      return `${commit}\n`
    case 'status --porcelain --untracked-files=normal':
      return (faults.changed ?? []).map((path) => ` M ${path}\n`).join('')
    case 'fetch --quiet origin main':
    case 'restore firebase.json':
      return ''
    case `merge-base --is-ancestor ${commit} origin/main`:
      if (faults.isOffMain) throw ended(command, '')
      return ''
    default:
      return exactly(world, command)
  }
}

function gh({ commit, faults, environment }: World, command: Command): string {
  const [run, list, ...flags] = command.args
  const wanted = [
    `--repo=${environment.repository}`,
    '--workflow=ci.yml',
    '--event=push',
    '--branch=main',
    `--commit=${commit}`,
    '--json=status,conclusion,url',
  ]
  if (run !== 'run' || list !== 'list' || flags.join() !== wanted.join())
    throw refused(command, 'other flags')
  if (faults.ci === 'none') return '[]'
  return JSON.stringify([
    { status: 'completed', conclusion: faults.ci ?? 'success', url: 'https://github.com/runs/1' },
  ])
}

/** Scripts that a release calls; a test compares them with the manifests. */
export const npmCommands = [
  'ci',
  'ci --prefix cdktf',
  'run --silent build -w web',
  'run --silent archive -w relay-vm',
  'run --silent archive -w functions',
]

function npm(world: World, command: Command): string {
  return npmCommands.includes(command.args.join(' ')) ? '' : exactly(world, command)
}

function sha256sum(world: World, { args }: Command): string {
  const { functions, relays } = world.archivesOf(world.commit)
  return args.map((file) => `${file.endsWith('.zip') ? functions : relays}  ${file}\n`).join('')
}

const text = { type: 'string' } as const

function node(world: World, command: Command): string {
  const [file, ...args] = command.args
  const { environment, vms, faults, allVms } = world
  if (file === 'cdktf/main.ts') {
    const { env, functions, relays } = parseArgs({
      args,
      options: { env: text, functions: text, relays: text },
    }).values
    const archives = world.archivesOf(world.commit)
    if (env !== environment.name || functions !== archives.functions || relays !== relayList)
      throw refused(command, 'its flags')
    world.synthesised = archives
    return ''
  }
  if (file === 'functions/hosting.ts') {
    const { relays = [] } = parseArgs({
      args,
      options: { region: text, relays: { ...text, multiple: true } },
    }).values
    const portless = relays.filter((origin) => !origin.endsWith(':*'))
    if (portless.length > 0) throw refused(command, `pages could not call the ports of ${portless.join()}`)
    return ''
  }
  if (file !== 'release/smoke.ts') return exactly(world, command)
  const { server, cell } = parseArgs({ args, options: { server: text, cell: text } }).values
  if (server !== `https://${environment.consoleHost}` || !command.secrets?.PTUN_KEY)
    throw refused(command, 'its flags')
  if (faults.lostTunnels) {
    faults.lostTunnels -= 1
    throw ended(command, 'connect ETIMEDOUT')
  }
  const isBroken = allVms.some((vm) => vm.cell.id === cell && isRun(faults.brokenRelay, vms.get(vm.name)))
  if (isBroken) throw ended(command, 'status 502, another body')
  return `3 visits of https://release-smoke-${cell}.example got through\n`
}

function isRun(archive: string | undefined, running: string | undefined): boolean {
  return archive !== undefined && archive === running
}

const archivesSchema = z.strictObject({ functions: z.string(), relays: z.string() })

function terraform(world: World, command: Command): string {
  const { synthesised, faults, planned, files } = world
  const [chdir = '', verb, ...args] = command.args
  const folder = /^-chdir=(.*)$/.exec(chdir)?.[1] ?? ''
  const stack = stacks.find((name) => folder === `cdktf/cdktf.out/stacks/${name}`)
  const kept = files.get(`${folder}/cdk.tf.json`)
  if (stack === undefined && kept === undefined) throw refused(command, 'no such folder')
  const known = [
    '-input=false',
    '-no-color',
    '-json',
    '-out=release.tfplan',
    'release.tfplan',
    '-auto-approve',
  ]
  for (const word of args) if (!known.includes(word)) throw refused(command, word)
  const lacking = Object.keys(variablesOf(stack ?? '')).filter((name) => !command.secrets?.[name])
  if ((verb === 'plan' || verb === 'apply') && lacking.length > 0)
    throw ended(command, `No value for required variable: ${lacking.join(', ')}`)
  if (verb === 'init') return ''
  if (stack === undefined) {
    if (verb !== 'apply' || !args.includes('-auto-approve')) throw refused(command, 'it would wait for a yes')
    applyStack(world, 'relays', archivesSchema.parse(JSON.parse(kept ?? '')))
    return ''
  }
  if (!synthesised) throw ended(command, 'No configuration files')
  if (verb === 'plan') planned.add(stack)
  else if (verb === 'show') return JSON.stringify({ resource_changes: changesOf(stack, faults.destroys) })
  else if (verb === 'apply') {
    if (!planned.delete(stack)) throw ended(command, 'Saved plan is stale')
    applyStack(world, stack, synthesised)
  } else return exactly(world, command)
  return ''
}

function changesOf(stack: string, destroys: string | undefined): readonly object[] {
  const change = (type: string, ...actions: string[]) => ({ address: `${type}.x`, type, change: { actions } })
  if (stack === 'control')
    return [
      change('google_cloudfunctions2_function', 'update'),
      ...(destroys === undefined ? [] : [change(destroys, 'delete')]),
    ]
  return stack === 'relays'
    ? [change('google_compute_instance_template', 'create', 'delete')]
    : [change('none', 'no-op')]
}

function applyStack(world: World, stack: string, archives: Archives): void {
  if (stack === 'control') world.deploy(archives)
  if (stack !== 'relays') return
  for (const { name } of world.allVms) {
    world.templates[name] = archives.relays
    // A new group makes its VM at once.
    if (!world.vms.has(name)) world.replace(name)
  }
}

function firebase(world: World, command: Command): string {
  const wanted = `deploy --only hosting --project ${world.environment.project} --non-interactive`
  if (command.args.join(' ') !== wanted) return exactly(world, command)
  world.serveNewWeb()
  return ''
}

function curl(world: World, command: Command): string {
  const { args, input = '' } = command
  if (!input.includes('header = "Authorization: Bearer token"')) throw ended(command, '401')
  const url = new URL(args.at(-1) ?? '')
  const { project } = world.environment
  if (url.host === 'monitoring.googleapis.com') return figures(world, url)
  const isPost = args.includes('POST')
  if (url.href === `https://firebasehosting.googleapis.com/v1beta1/sites/${project}/channels/live` && !isPost)
    return JSON.stringify(world.web === undefined ? {} : { release: { version: { name: world.web } } })
  const version = url.searchParams.get('versionName') ?? ''
  if (url.pathname !== `/v1beta1/sites/${project}/releases` || !isPost) return exactly(world, command)
  if (!world.webVersions.includes(version)) throw ended(command, '404')
  world.web = version
  return JSON.stringify({ name: `sites/${project}/releases/${hash(version).slice(0, 8)}` })
}

/** The series that Cloud Monitoring would answer for revisions that have calls. */
function figures(world: World, url: URL): string {
  const isCount = url.searchParams.get('filter')?.includes('/request_count"')
  const serving = [...world.services.values()].flatMap(({ revisions, traffic }) =>
    revisions.filter(({ name }) => (traffic[name] ?? 0) > 0),
  )
  const series = (revision: string, value: object, labels: Record<string, string> = {}) => ({
    metric: { labels },
    resource: { type: 'cloud_run_revision', labels: { revision_name: revision } },
    points: [{ interval: {}, value }],
  })
  const timeSeries = serving.flatMap((revision) => {
    const { failed, ms } = world.figuresOf(revision)
    if (!isCount) return [series(revision.name, { doubleValue: ms })]
    const byClass = { '2xx': callsOfRevision - failed, '5xx': failed }
    return Object.entries(byClass).map(([response_code_class, calls]) =>
      series(revision.name, { int64Value: String(calls) }, { response_code_class }),
    )
  })
  return JSON.stringify({ timeSeries })
}
