/** systemd and launchd as `ptun service` uses them: where the file goes, and which commands start and stop it. */
import { execFile } from 'node:child_process'
import { homedir, userInfo } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { fail } from '@porttunneler/shared/base/errors'
import type { Environment } from '../paths.ts'
import { launchdAgent, launchdLabel, type ServicePlan, systemdUnit, unitName } from './units.ts'

/** How long an init system may take; it waits until the program runs. */
const commandMs = 30_000

export type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string }
export type RunCommand = (words: readonly string[]) => Promise<Ran>

export type ServiceState = { readonly isRunning: boolean; readonly text: string }

export type InitSystem = {
  readonly name: 'systemd' | 'launchd'
  /** Where its file is. */
  readonly path: string
  fileFor(plan: ServicePlan): string
  /** Commands that make it run, now and at each start of the machine or session. */
  readonly start: readonly (readonly string[])[]
  /** Before the file is removed, and after. */
  readonly stop: readonly (readonly string[])[]
  readonly forget: readonly (readonly string[])[]
  state(run: RunCommand): Promise<ServiceState>
  /** Where its output is. */
  readonly logs: string
}

export type Surroundings = {
  readonly env: Environment
  readonly platform: NodeJS.Platform
  readonly isSystem: boolean
}

/** @throws service.system */
export function initSystemOf({ env, platform, isSystem }: Surroundings): InitSystem {
  if (platform === 'linux') return systemd(env, isSystem)
  if (platform === 'darwin' && !isSystem) return launchd(env)
  if (platform === 'darwin')
    throw fail(
      'service.system',
      'On macOS ptun installs only services of the signed-in user: leave --system out.',
    )
  if (platform === 'win32')
    throw fail(
      'service.system',
      'On Windows let the Task Scheduler start it when you sign in: ' +
        'schtasks /create /tn ptun /sc onlogon /tr "ptun start --config C:\\path\\to\\ptun.yaml"',
    )
  throw fail('service.system', `On ${platform} ptun knows no service init.`)
}

function systemd(env: Environment, isSystem: boolean): InitSystem {
  const systemctl = (...words: readonly string[]) => ['systemctl', ...(isSystem ? [] : ['--user']), ...words]
  const config = env.XDG_CONFIG_HOME && isAbsolute(env.XDG_CONFIG_HOME) ? env.XDG_CONFIG_HOME : undefined
  const folder = isSystem
    ? '/etc/systemd/system'
    : join(config ?? join(env.HOME || homedir(), '.config'), 'systemd/user')
  return {
    name: 'systemd',
    path: join(folder, unitName),
    fileFor: systemdUnit,
    start: [systemctl('daemon-reload'), systemctl('enable', unitName), systemctl('restart', unitName)],
    // Otherwise systemd would go on to list one that has failed.
    stop: [systemctl('disable', '--now', unitName), systemctl('reset-failed', unitName)],
    forget: [systemctl('daemon-reload')],
    state: async (run) => {
      const { stdout } = await run(
        systemctl('show', unitName, '--property=ActiveState,SubState,UnitFileState,ExecMainStatus'),
      )
      const shown = Object.fromEntries(
        stdout
          .trim()
          .split('\n')
          .map((line) => line.split('=', 2)),
      )
      const { ActiveState: active, SubState: sub, UnitFileState: file, ExecMainStatus: exit } = shown
      const ended = active !== 'active' && exit && exit !== '0' ? `, ended with ${exit}` : ''
      return { isRunning: active === 'active', text: `${active} (${sub}), ${file}${ended}` }
    },
    logs: `journalctl ${isSystem ? '' : '--user '}-u ${unitName}`,
  }
}

function launchd(env: Environment): InitSystem {
  const home = env.HOME || homedir()
  const path = join(home, 'Library/LaunchAgents', `${launchdLabel}.plist`)
  const log = join(home, 'Library/Logs/ptun.log')
  const domain = `gui/${userInfo().uid}`
  const target = `${domain}/${launchdLabel}`
  return {
    name: 'launchd',
    path,
    fileFor: (plan) => launchdAgent(plan, log),
    start: [
      ['launchctl', 'bootstrap', domain, path],
      ['launchctl', 'kickstart', '-k', target],
    ],
    stop: [['launchctl', 'bootout', target]],
    forget: [],
    state: async (run) => {
      const { code, stdout } = await run(['launchctl', 'print', target])
      const state = /^\s*state = (.+)$/m.exec(stdout)?.[1]
      return { isRunning: state === 'running', text: code === 0 ? (state ?? 'unknown') : 'not loaded' }
    },
    logs: `tail -f ${log}`,
  }
}

/** Runs a command to its end. @throws service.refused if there is no such program */
export const runCommand: RunCommand = ([file = '', ...args]) =>
  new Promise((resolve, reject) => {
    execFile(file, args, { timeout: commandMs, encoding: 'utf8' }, (error, stdout, stderr) => {
      if (error && typeof error.code === 'string')
        reject(fail('service.refused', `${file} cannot be run (${error.code}).`, { cause: error }))
      else resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr })
    })
  })
