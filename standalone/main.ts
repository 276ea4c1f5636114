/**
 * The whole service on one machine. It starts everything, prints the addresses, and on SIGTERM or Ctrl-C lets open
 * connections end before it exits (0). A second signal ends everything at once. SIGUSR2 restarts the relays in turn. If
 * it cannot start, it says why with cause and cure (exit 2). As the child of start.ts it takes over from another server
 * or gives way to one, and stops when its parent is gone.
 */
import process from 'node:process'
import { systemClock } from '@porttunneler/shared/base/clock'
import { isFailure } from '@porttunneler/shared/base/errors'
import { outliveOutput } from '@porttunneler/shared/base/outlive-output'
import { isOpenToOthers } from '@porttunneler/shared/base/private-files'
import { readSettings, readTextFile, type Settings } from './config.ts'
import { type Channel, Predecessor } from './hand-over.ts'
import { accountRows, failureText, paintFor, welcome } from './output.ts'
import manifest from './package.json' with { type: 'json' }
import { startServer } from './server.ts'
import { isSuccessor, upMessage } from './start-words.ts'

/** npm passes a Ctrl-C on to a child that already got it from the terminal: within this time the two count as one. */
const sameSignalMs = 500

async function main(): Promise<void> {
  outliveOutput(process, (code) =>
    process.stderr.write(
      `Nobody reads stdout any more (${code}); the server goes on. Its logs are in data/logs.\n`,
    ),
  )
  const settings = readSettings({
    args: process.argv.slice(2),
    env: process.env,
    readText: readTextFile,
    isOpen: isOpenToOthers,
  })
  const interrupted = new AbortController()
  const killers = new Set<() => void>()
  const channel = openChannel()
  listenToSignals(interrupted, settings, () => {
    for (const kill of killers) kill()
  })
  const server = await startServer(settings, {
    clock: systemClock,
    random: Math.random,
    signal: interrupted.signal,
    pid: channel ? process.ppid : process.pid,
    ...(channel && isSuccessor(process.env) && { predecessor: new Predecessor(channel) }),
    onProcess: (kill) => killers.add(kill),
    onTrouble: (sentence) => process.stderr.write(`${sentence}\n`),
  })
  if (server.facts && isSuccessor(process.env)) {
    process.stdout.write(`  Version ${manifest.version} serves now.\n`)
  } else if (server.facts) {
    const say = interrupted.signal.aborted ? accountRows : welcome
    process.stdout.write(say(server.facts, paintFor(process.stdout)))
  }
  process.on('SIGUSR2', () => {
    process.stdout.write('  Restarting the relays, one after the other.\n')
    server.restartRelays().then(
      () => process.stdout.write('  The relays are restarted.\n'),
      (error: unknown) => process.stderr.write(`  The relays were not restarted: ${String(error)}\n`),
    )
  })
  if (channel) {
    server.serveSuccessor(channel)
    channel.send(upMessage)
  }
  await server.ended
  if (process.connected) process.disconnect()
}

/** The channel to start.ts, if that is the parent. */
function openChannel(): Channel | undefined {
  if (!process.send) return undefined
  return {
    // A parent that is gone by then is noticed by `disconnect`.
    send: (message) => process.send?.(message, undefined, undefined, () => undefined),
    onMessage: (listener) => process.on('message', listener),
  }
}

function listenToSignals(interrupted: AbortController, { config }: Settings, killAll: () => void): void {
  let firstMs: number | undefined
  const onSignal = (signal: 'SIGINT' | 'SIGTERM') => {
    if (firstMs === undefined) {
      firstMs = systemClock.monotonic()
      const grace = `open connections get up to ${config.graceSeconds} s`
      process.stdout.write(
        `\n  Stopping: ${grace}. ${signal === 'SIGINT' ? 'Ctrl-C again ends at once.' : ''}\n`,
      )
      interrupted.abort()
    } else if (systemClock.monotonic() - firstMs > sameSignalMs) {
      killAll()
      process.exit(signal === 'SIGINT' ? 130 : 143)
    }
  }
  process.on('SIGINT', () => onSignal('SIGINT'))
  process.on('SIGTERM', () => onSignal('SIGTERM'))
  process.on('SIGHUP', () => onSignal('SIGTERM'))
  process.once('disconnect', () => interrupted.abort())
}

try {
  await main()
} catch (error) {
  if (!isFailure(error)) throw error
  process.stderr.write(`\n${failureText(error, paintFor(process.stderr))}`)
  // Whatever stopped the start, nothing of it runs now.
  process.exitCode = 2
  if (process.connected) process.disconnect()
}
