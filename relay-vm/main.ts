/**
 * The relay daemon: `node relay-vm/main.ts <config.json>`. SIGTERM drains, and a second one ends the grace period at
 * once; SIGUSR2 drains when a successor listens at the same ports.
 * As a child process it sends `{ ready: ports }` to its parent, takes `{ command }` messages, and drains when the
 * parent is gone. `--check` loads and checks the configuration, and does no more. Exit codes: 0 drained, otherwise that
 * of the error's row in the catalogue.
 */
import { writeSync } from 'node:fs'
import { systemClock } from '@porttunneler/shared/base/clock'
import { compactHeap } from '@porttunneler/shared/base/compact-heap'
import { isFailure } from '@porttunneler/shared/base/errors'
import { LineWriter } from '@porttunneler/shared/base/line-writer'
import type { Log } from '@porttunneler/shared/base/log'
import { pino } from 'pino'
import { loadConfig, type RelayConfig } from './config.ts'
import { ipcCommands } from './platform/commands.ipc.ts'
import type { CloudLog } from './platform/logs.google.ts'
import { withinMeans } from './policy/means.ts'
import { Relay, type RelayOptions } from './relay.ts'

/** Its file descriptor. */
const stdout = 1

async function main(args: readonly string[]): Promise<void> {
  const path = args.find((arg) => !arg.startsWith('--'))
  const config = await loadConfig(path ?? 'relay.json', process.env)
  if (args.includes('--check')) return
  const cloudLog = await openCloudLog(config)
  const log = makeLog(config.logLevel, cloudLog)
  const relay = new Relay({
    config: withinMeans(config, log),
    log,
    random: Math.random,
    ...(await openSignalling(config, log)),
    onDrainCommand: () => leave('the control plane asked for it'),
  })
  const hurry = new AbortController()
  let leaving: Promise<void> | undefined
  const leave = (why: string, hasSuccessor = false) => {
    log.info({ why }, 'Leaving')
    if (leaving !== undefined) hurry.abort()
    leaving ??= relay.drain({ signal: hurry.signal, hasSuccessor }).then(
      () => exit(0, cloudLog),
      (error: unknown) => end(log, error, cloudLog),
    )
  }
  process.on('SIGTERM', () => leave('SIGTERM'))
  process.on('SIGUSR2', () => leave('SIGUSR2', true))
  process.on('SIGINT', () => leave('SIGINT'))
  process.on('disconnect', () => leaving ?? leave('the parent process is gone'))
  try {
    const ready = await relay.start()
    compactHeap()
    // If the parent is gone by now, `disconnect` tells it.
    process.send?.({ ready }, undefined, undefined, () => undefined)
  } catch (error) {
    if (leaving === undefined) end(log, error, cloudLog)
  }
}

/** Loads the SDK only for a relay with Pub/Sub. */
async function openSignalling(
  { commands }: RelayConfig,
  log: Log,
): Promise<Pick<RelayOptions, 'commands' | 'events'>> {
  if (commands === undefined) return process.send ? { commands: ipcCommands(process, log) } : {}
  const { events, ...pubsub } = commands.pubsub
  const shared = { clock: systemClock, random: Math.random, log }
  const { pubsubCommands } = await import('./platform/commands.pubsub.ts')
  const source = await pubsubCommands({ ...pubsub, ...shared })
  if (events === undefined) return { commands: source }
  const { pubsubEvents } = await import('./platform/events.pubsub.ts')
  return { commands: source, events: await pubsubEvents({ project: pubsub.project, events, ...shared }) }
}

/**
 * Whatever happens to stdout (a full disk, a reader that is gone), the relay lives on; its log says how much was lost.
 */
function makeLog(level = 'info', cloud?: CloudLog): Log {
  const options = { level, base: null, serializers: { error: pino.stdSerializers.err } }
  const lines = new LineWriter((bytes) => writeSync(stdout, bytes))
  const write = (line: string) => {
    lines.write(line)
    cloud?.take(line)
  }
  return pino(options, { write })
}

/** Loads what sends lines to Google only where they are to go there. */
async function openCloudLog({ logs, instance }: RelayConfig): Promise<CloudLog | undefined> {
  if (logs === undefined) return undefined
  const [{ CloudLog }, { instanceAccess }] = await Promise.all([
    import('./platform/logs.google.ts'),
    import('./platform/metadata.google.ts'),
  ])
  const askAccess = instanceAccess(systemClock)
  return new CloudLog({ project: logs.google.project, relay: instance, clock: systemClock, askAccess })
}

/** The last lines of the log still go out. */
async function exit(code: number, cloud: CloudLog | undefined): Promise<void> {
  await cloud?.close()
  process.exit(code)
}

function end(log: Log, error: unknown, cloud?: CloudLog): void {
  if (isFailure(error)) log.error({ code: error.code, error, cure: error.entry.cure }, error.detail)
  else log.error({ error }, 'The relay ended by an error nobody expected')
  void exit(isFailure(error) ? error.entry.exit : 1, cloud)
}

main(process.argv.slice(2)).catch((error: unknown) => end(makeLog(), error))
