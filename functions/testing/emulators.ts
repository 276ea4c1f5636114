/**
 * Starts Google's own emulators of Firestore and Pub/Sub from the jars of an installed Google Cloud SDK, by Java
 * itself. Programs (cloud:local) call `startEmulators`. Tests do not: a test file imports `./with-emulators.ts`, and
 * emulators.setup.ts (globalSetup of the vitest projects `contract` and `e2e`) starts one pair for all of them.
 *
 * FIRESTORE_EMULATOR_HOST and PUBSUB_EMULATOR_HOST name running ones to use instead; PT_EMULATOR_JARS names another
 * folder than the SDK's `platform`. Each emulator keeps any number of projects apart: a random project id isolates.
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, globSync, realpathSync } from 'node:fs'
import { connect } from 'node:net'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { freePort } from '@porttunneler/shared/testing/ports'

/** Addresses as `host:port`. */
export type EmulatorHosts = { readonly firestore: string; readonly pubsub: string }
export type Emulators = EmulatorHosts & { stop(): Promise<void> }

type Env = Readonly<Record<string, string | undefined>>
type Start = {
  readonly env: Env
  readonly deadlineMs?: number
  /** Aborts the start. */
  readonly signal?: AbortSignal
  /** One that this started has ended by itself. */
  readonly onEnded?: (what: string) => void
}

/** Something needed for a start is missing; `cure` is a sentence for a person. */
export class EmulatorsMissing extends Error {
  override readonly name = 'EmulatorsMissing'
}

/** A machine that does much else takes many times the 1.5 s of a quiet one. */
const startDeadlineMs = 90_000
/** How long to look for a running one that was named. */
const connectMs = 5_000

/**
 * Ends the program with us, however we end: `kill -9` gives us no time to do it. The shell stays between the two; the
 * program is killed when the pipe of standard input ends.
 */
const leash = `exec 3<&0
"$@" </dev/null 3<&- & program=$!
{ read -r _ <&3; kill -9 $program; } 2>/dev/null & guard=$!
exec 3<&-
wait $program; code=$?
kill $guard 2>/dev/null
exit $code`
/** Keep the start short: these live for minutes. The heap has all that a whole test run stores, in many projects. */
const javaOptions = ['-Xmx1g', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Duser.language=en']

/**
 * Both emulators, ready for calls: running ones that `env` names, else new ones on free ports of 127.0.0.1.
 * @throws EmulatorsMissing without Java or the jars; Error when one is not ready in time, or not where it should run
 */
export async function startEmulators(options: Start): Promise<Emulators> {
  const { env, deadlineMs = startDeadlineMs, onEnded } = options
  const deadline = AbortSignal.timeout(deadlineMs)
  const signal = options.signal ? AbortSignal.any([deadline, options.signal]) : deadline
  const started = await Promise.allSettled([
    env.FIRESTORE_EMULATOR_HOST ? given('FIRESTORE', env) : startFirestore(env, signal, onEnded),
    env.PUBSUB_EMULATOR_HOST ? given('PUBSUB', env) : startPubsub(env, signal, onEnded),
  ])
  const stop = async () => {
    await Promise.all(started.map((one) => (one.status === 'fulfilled' ? one.value.stop() : undefined)))
  }
  const [firestore, pubsub] = started
  if (firestore.status === 'fulfilled' && pubsub.status === 'fulfilled')
    return { firestore: firestore.value.host, pubsub: pubsub.value.host, stop }
  await stop()
  throw firestore.status === 'rejected' ? firestore.reason : (pubsub as PromiseRejectedResult).reason
}

type Emulator = { readonly host: string; stop(): Promise<void> }

async function given(name: 'FIRESTORE' | 'PUBSUB', env: Env): Promise<Emulator> {
  const variable = `${name}_EMULATOR_HOST`
  const host = env[variable] ?? ''
  const url = URL.parse(`http://${host}`)
  const socket = connect({ host: url?.hostname ?? host, port: Number(url?.port) || 80, timeout: connectMs })
  try {
    socket.once('timeout', () => socket.destroy(new Error('it does not answer')))
    await once(socket, 'connect')
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : cause
    throw new Error(`no emulator is at ${host}, which ${variable} names (${why})`, { cause })
  } finally {
    socket.destroy()
  }
  return { host, stop: async () => {} }
}

/** One Firestore emulator of its own, for tests that stop it in the middle. */
export function startFirestore(
  env: Env,
  signal = AbortSignal.timeout(startDeadlineMs),
  onEnded?: Start['onEnded'],
): Promise<Emulator> {
  const jar = findJar(env, 'cloud-firestore-emulator/*.jar')
  const main = 'com.google.cloud.datastore.emulator.firestore.CloudFirestore'
  return start({
    name: 'Firestore',
    args: ['-cp', jar, main],
    ready: 'Server is now running',
    signal,
    onEnded,
  })
}

/** One Pub/Sub emulator of its own, for programs that need no Firestore. */
export function startPubsub(
  env: Env,
  signal = AbortSignal.timeout(startDeadlineMs),
  onEnded?: Start['onEnded'],
): Promise<Emulator> {
  const jar = findJar(env, 'pubsub-emulator/lib/*-all.jar')
  return start({ name: 'Pub/Sub', args: ['-jar', jar], ready: 'Server started', signal, onEnded })
}

function findJar(env: Env, pattern: string): string {
  const folder = env.PT_EMULATOR_JARS ?? sdkPlatform(env)
  const [jar] = folder ? globSync(pattern, { cwd: folder }).sort().reverse() : []
  if (!folder || !jar)
    throw new EmulatorsMissing(
      'the jars of the emulators are missing: install the Google Cloud SDK with ' +
        '`gcloud components install cloud-firestore-emulator pubsub-emulator`, or name their folder in ' +
        'PT_EMULATOR_JARS',
    )
  try {
    execFileSync('java', ['-version'], { stdio: 'ignore' })
  } catch {
    throw new EmulatorsMissing('Java 17 or newer is missing: the emulators need it')
  }
  return join(folder, jar)
}

/** `platform` is beside the `bin` that holds the real `gcloud`. */
function sdkPlatform(env: Env): string | undefined {
  for (const folder of (env.PATH ?? '').split(delimiter)) {
    const gcloud = join(folder, 'gcloud')
    if (existsSync(gcloud)) return join(realpathSync(gcloud), '..', '..', 'platform')
  }
  return undefined
}

type Program = {
  readonly name: string
  readonly args: readonly string[]
  /** Part of the line that says it takes calls. */
  readonly ready: string
  readonly signal: AbortSignal
  readonly onEnded: Start['onEnded']
}

async function start({ name, args, ready, signal, onEnded }: Program): Promise<Emulator> {
  // They do not take port 0.
  const port = await freePort()
  const java = ['java', ...javaOptions, ...args, '--host=127.0.0.1', `--port=${port}`]
  const child = spawn('sh', ['-c', leash, 'emulator', ...java], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // A Ctrl-C in the terminal reaches only the program, which ends the emulators' users before them.
    detached: true,
  })
  const said = (code: number | null, by: string | null) =>
    onEnded?.(`The ${name} emulator at port ${port} has ended ${by ? `by ${by}` : `with ${code}`}.`)
  const stop = async () => {
    child.off('exit', said)
    // It holds nothing worth a graceful end.
    child.stdin.destroy()
    if (isRunning(child)) await once(child, 'exit')
  }
  try {
    await untilSaid(child, { name, ready, signal })
    child.once('exit', said)
  } catch (error) {
    await stop()
    throw error
  }
  return { host: `127.0.0.1:${port}`, stop }
}

/** Goes on reading afterwards: a full pipe would stop the emulator. */
function untilSaid(
  child: ChildProcess,
  { name, ready, signal }: Omit<Program, 'args' | 'onEnded'>,
): Promise<void> {
  const said: string[] = []
  return new Promise((resolve, reject) => {
    const refuse = (what: string) =>
      reject(new Error(`the ${name} emulator ${what}; it said:\n${said.slice(-20).join('\n')}`))
    for (const stream of [child.stdout, child.stderr])
      if (stream)
        createInterface({ input: stream }).on('line', (line) => {
          if (said.length < 1_000) said.push(line)
          if (line.includes(ready)) resolve()
        })
    child.once('error', (error) => refuse(`did not start (${error.message})`))
    child.once('exit', () => refuse('ended before it was ready'))
    const onAbort = () =>
      refuse(signal.reason?.name === 'TimeoutError' ? 'was not ready in time' : 'is not wanted any more')
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
  })
}

function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null
}
