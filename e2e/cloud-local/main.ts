/**
 * `npm run cloud:local [-- --relays 3]`: the whole cloud on this machine, on Google's own emulators. Ctrl-C ends it in
 * good order, a second one at once. Nothing is kept: the next start has an empty database. docs/cloud.md tells more.
 */
import { once } from 'node:events'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { systemClock } from '@porttunneler/shared/base/clock'
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { isOpenToOthers } from '@porttunneler/shared/base/private-files'
import { readSettings, readTextFile } from '../../standalone/config.ts'
import { failureText, paintFor } from '../../standalone/output.ts'
import { type Report, startCloudLocal } from './start.ts'

/** Beside a standalone server's ports, so that both may run. */
const defaults = {
  PORTTUNNELER_DATA: 'data/cloud-local',
  PORTTUNNELER_CONSOLE_PORT: '8500',
  PORTTUNNELER_HTTP_PORT: '8580',
  PORTTUNNELER_TLS_PORT: '8543',
  PORTTUNNELER_OWN_PORTS: '8544',
  PORTTUNNELER_METRICS_PORT: '8590',
  PORTTUNNELER_TCP_PORTS: '22000-22099',
}

/** npm passes a Ctrl-C on to a child that the terminal has already told: two signals within this time count as one. */
const sameSignalMs = 500

/** A shell's exit code for Ctrl-C. */
const interruptedExit = 130

/** @returns the exit code */
async function main(): Promise<number> {
  const { relays, data, 'sign-in': signIn } = readOptions()
  const env = { ...defaults, ...process.env, PORTTUNNELER_RELAYS: relays }
  const args = data === undefined ? [] : ['--data', data]
  const settings = readSettings({ args, env, readText: readTextFile, isOpen: isOpenToOthers })
  const killers = new Set<() => void>()
  const signal = listenToSignals(() => {
    for (const kill of killers) kill()
  })
  const starting = startCloudLocal({
    settings,
    signIn,
    signal,
    clock: systemClock,
    random: Math.random,
    onProcess: (kill) => killers.add(kill),
    say: (sentence) => process.stderr.write(`  ${sentence}\n`),
  })
  const cloud = await starting.catch((error) => {
    if (!signal.aborted) throw error
  })
  if (cloud) {
    process.stdout.write(welcome(cloud.report, settings.data))
    const { broken } = cloud
    await aborted(AbortSignal.any([signal, broken]))
    if (broken.aborted && !signal.aborted) sayFailure(broken.reason)
    await cloud.stop()
    if (broken.aborted) return 1
  }
  process.stdout.write('  Stopped.\n')
  return cloud ? 0 : interruptedExit
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}

/** @throws standalone.config */
function readOptions() {
  const options = {
    relays: { type: 'string', default: '2' },
    data: { type: 'string' },
    'sign-in': { type: 'string' },
  } as const
  try {
    const { relays, data, 'sign-in': kind } = parseArgs({ options }).values
    if (kind === undefined || kind === 'emulator' || kind === 'stand-in')
      return { relays, data, 'sign-in': kind } as const
    throw new Error('--sign-in is "emulator" or "stand-in"')
  } catch (cause) {
    throw fail('standalone.config', `command line: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    })
  }
}

/** Aborted at the first signal; a later one ends everything at once. */
function listenToSignals(killAll: () => void): AbortSignal {
  const stopping = new AbortController()
  let firstMs: number | undefined
  const onSignal = () => {
    if (firstMs === undefined) {
      firstMs = systemClock.monotonic()
      process.stdout.write('\n  Stopping; open connections get some seconds. Ctrl-C again ends at once.\n')
      stopping.abort()
    } else if (systemClock.monotonic() - firstMs > sameSignalMs) {
      killAll()
      process.exit(interruptedExit)
    }
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)
  return stopping.signal
}

function welcome({ console: url, account, key, project, emulators, signIn }: Report, data: string): string {
  const rows = [
    ['Console and API', url],
    ['Account', account.email],
    ['Password', account.password],
    ['API key', key],
    ['Project', project],
    ['Firestore', emulators.firestore],
    ['Pub/Sub', emulators.pubsub],
    ['Sign-in', signIn === 'emulator' ? `http://${emulators.auth} (Auth emulator)` : standIn],
    ['Next', `PTUN_KEY=${key} npx porttunneler --server ${url} http 3000`],
    ['Operator', `node --env-file=${data}/operator.env ptunctl/ptunctl.js relays list`],
    ['Logs', `${data}/logs`],
  ]
  const lines = rows.map(([name = '', value = '']) => `  ${name.padEnd(16)} ${value}`)
  return `\n  The cloud runs on this machine.\n\n${lines.join('\n')}\n\n  Nothing is kept. Ctrl-C stops.\n\n`
}

const standIn = 'a stand-in, by password only ("npm ci" in e2e/auth-emulator brings the Auth emulator)'

function sayFailure(error: unknown): void {
  if (!isFailure(error)) throw error
  process.stderr.write(`\n${failureText(error, paintFor(process.stderr))}`)
}

try {
  process.exitCode = await main()
} catch (error) {
  sayFailure(error)
  process.exitCode = 2
}
