/** `ptun service`: `ptun start` as a service of the system's own init. */
import { mkdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { sayFileError } from '@porttunneler/shared/base/system-errors'
import { configName, readConfig } from '../config.ts'
import { type Context, say, serverOf, tell, warn } from '../context.ts'
import { readCredential } from '../credentials.ts'
import { printable } from '../output/format.ts'
import { errnoOf } from '../paths.ts'
import { initSystemOf, type RunCommand, runCommand } from '../service/init-systems.ts'
import { environmentFile, ownMark, type ServicePlan } from '../service/units.ts'

export type ServiceOptions = {
  readonly config?: string
  readonly system?: boolean
  readonly runAs?: string
  readonly print?: boolean
}

/** What tests put in the place of the machine. */
export type ServiceMachine = {
  readonly platform: NodeJS.Platform
  readonly uid: number | undefined
  /** The file that was started. */
  readonly program: string
  readonly run: RunCommand
}

const thisMachine = (): ServiceMachine => ({
  platform: process.platform,
  uid: process.getuid?.(),
  program: process.argv[1] ?? '',
  run: runCommand,
})

/** @throws service.*, config.*, login.*, cli.server, cli.folder */
export async function installService(
  context: Context,
  options: ServiceOptions,
  machine = thisMachine(),
): Promise<number> {
  const { system = false, print = false } = options
  const init = initSystemOf({ env: context.env, platform: machine.platform, isSystem: system })
  const text = init.fileFor(await planOf(context, options, machine))
  if (print) {
    context.stdout.write(text)
    return 0
  }
  requireRights(machine, system)
  await requireOurs(init.path)
  await writeUnit(init.path, text)
  if (init.name === 'launchd') for (const words of init.stop) await machine.run(words)
  for (const words of init.start) await require(machine.run, words)
  const { isRunning, text: state } = await init.state(machine.run)
  tell(context, { event: 'service.installed', path: init.path, running: isRunning })
  say(context, `Installed ${init.path}: ${state}.`, `Its output: ${init.logs}`)
  if (init.name === 'systemd' && !system)
    say(
      context,
      'It ends when you sign out. "loginctl enable-linger" lets it run from the start of the machine.',
    )
  sayLeftOut(context)
  return isRunning ? 0 : 1
}

/** @returns 1 if it does not run @throws service.system, service.refused */
export async function serviceStatus(
  context: Context,
  { system = false }: ServiceOptions,
  machine = thisMachine(),
): Promise<number> {
  const init = initSystemOf({ env: context.env, platform: machine.platform, isSystem: system })
  const isInstalled = (await readUnit(init.path)) !== undefined
  const state = isInstalled ? await init.state(machine.run) : { isRunning: false, text: 'not installed' }
  tell(context, { event: 'service', path: init.path, installed: isInstalled, running: state.isRunning })
  say(context, `${init.path}: ${state.text}.`)
  say(context, isInstalled ? `Its output: ${init.logs}` : 'Install it: ptun service install')
  return state.isRunning ? 0 : 1
}

/** @throws service.* */
export async function removeService(
  context: Context,
  { system = false }: ServiceOptions,
  machine = thisMachine(),
): Promise<number> {
  const init = initSystemOf({ env: context.env, platform: machine.platform, isSystem: system })
  if ((await readUnit(init.path)) === undefined)
    throw fail('service.unfit', `There is no ${init.path}, so there is nothing to remove.`)
  requireRights(machine, system)
  await requireOurs(init.path)
  // One that does not run is removed all the same.
  for (const words of init.stop) await machine.run(words)
  await rm(init.path, { force: true })
  for (const words of init.forget) await require(machine.run, words)
  tell(context, { event: 'service.removed', path: init.path })
  say(context, `Removed ${init.path}. The addresses wait for their tunnels.`)
  return 0
}

async function planOf(
  context: Context,
  { config = configName, system = false, runAs }: ServiceOptions,
  machine: ServiceMachine,
): Promise<ServicePlan> {
  const path = resolve(config)
  // A service has none of this shell's variables, so the file must do without them.
  const { HOME = '' } = context.env
  await readConfig(path, { HOME })
  const program = await programOf(machine)
  const server = await serverOf(context)
  const user = system ? userOf(context, runAs) : undefined
  if (!system) await requireKey(context, server)
  const { account } = context
  return {
    node: process.execPath,
    program,
    config: path,
    folder: dirname(path),
    server,
    account,
    runAs: user,
  }
}

/** @throws service.unfit where the program may vanish */
async function programOf({ program }: ServiceMachine): Promise<string> {
  const path = await realpath(program)
  if (/[\\/]_npx[\\/]/.test(path))
    throw fail(
      'service.unfit',
      'npx keeps ptun only for a while. Run "npm install -g porttunneler", then install it.',
    )
  return path
}

function userOf({ env }: Context, runAs = env.SUDO_USER): string {
  if (!runAs) throw fail('service.unfit', 'Say which user the service shall run as: --run-as <user>.')
  return runAs
}

/** The key that the service will find: not the one of this shell's environment. @throws service.key */
async function requireKey({ env, account }: Context, server: string): Promise<void> {
  const { PTUN_KEY: _, ...others } = env
  try {
    await readCredential(others, server, account)
  } catch (error) {
    if (!isFailure(error, 'login.missing')) throw error
    const why = env.PTUN_KEY ? 'PTUN_KEY is set here, but a service does not get it' : 'ptun has no key'
    throw fail('service.key', `${why}: run "ptun login --server ${server}" first.`, { cause: error })
  }
}

function requireRights({ uid }: ServiceMachine, isSystem: boolean): void {
  if (isSystem && uid !== 0)
    throw fail('service.unfit', 'A service of the machine is installed by root: use sudo.')
  if (!isSystem && uid === 0)
    throw fail('service.unfit', 'root has no services of a session: add --system --run-as <user>.')
}

/** @throws service.unfit for a file that somebody else has written */
async function requireOurs(path: string): Promise<void> {
  const text = await readUnit(path)
  if (text !== undefined && !text.includes(ownMark))
    throw fail('service.unfit', `${path} is not from ptun service install. Move it away first.`)
}

async function readUnit(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined
    throw fail('cli.folder', `${path} cannot be read${sayFileError(cause)}`, { cause })
  }
}

async function writeUnit(path: string, text: string): Promise<void> {
  const next = `${path}.${process.pid}.new`
  try {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(next, text, { mode: 0o644 })
    await rename(next, path)
  } catch (cause) {
    await rm(next, { force: true }).catch(() => undefined)
    throw fail('cli.folder', `${path} cannot be written${sayFileError(cause)}`, { cause })
  }
}

/** @throws service.refused with what the init system said */
async function require(run: RunCommand, words: readonly string[]): Promise<void> {
  const { code, stderr } = await run(words)
  if (code === 0) return
  const said = printable(stderr).trim() || `it ended with ${code}`
  throw fail('service.refused', `"${words.join(' ')}" failed: ${said}`)
}

/** What works in this shell, and would be missing in the service. */
function sayLeftOut(context: Context): void {
  const names = [
    'HTTPS_PROXY',
    'HTTP_PROXY',
    'ALL_PROXY',
    'NO_PROXY',
    'PTUN_AUTH',
    'PTUN_WEBHOOK_SECRET',
    'NODE_EXTRA_CA_CERTS',
  ]
  const set = names.filter((name) => context.env[name] || context.env[name.toLowerCase()])
  if (set.length > 0)
    warn(
      context,
      `Left out of the service, as a secret may be in it: ${set.join(', ')}. Use proxy: and authFile: of ptun.yaml, or ` +
        `for a service of the machine ${environmentFile}.`,
    )
}
