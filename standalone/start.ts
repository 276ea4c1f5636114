/**
 * `npm start`: runs the server (main.ts) as a child and, at SIGUSR2, a newer one beside it, to which the first gives
 * everything, piece by piece (hand-over.ts). This process only passes on signals and the messages between the two, so
 * it can stay while versions come and go: its process id is the service's.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, extname, join, resolve } from 'node:path'
import process from 'node:process'
import { outliveOutput } from '@porttunneler/shared/base/outlive-output'
import { goneMessage, isUp, resumeMessage, successorEnv } from './start-words.ts'

/** As it was started, with links: a link that now leads to a newer version is followed. */
const script = resolve(process.argv[1] ?? '')
const folder = dirname(script)
/** TypeScript in a checkout, JavaScript where it is installed (packaging/tree.ts). */
const main = join(folder, `main${extname(script)}`)
const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

outliveOutput(process, () => undefined)

/** The server that serves, and the one that is about to. */
let current = start({})
let isServing = false
let next: ChildProcess | undefined
/** SIGUSR2 came while one version gave way to another: the newest follows when they are done. */
let isWanted = false

function start(env: NodeJS.ProcessEnv): ChildProcess {
  // That version's own Node, if it was installed with it.
  const ownNode = join(folder, '../node_modules/.bin/node')
  const child = fork(main, process.argv.slice(2), {
    env: { ...process.env, ...env },
    ...(existsSync(ownNode) && { execPath: ownNode }),
    execArgv: [],
    // In its own group: a Ctrl-C of the terminal reaches it only through this process, once.
    detached: true,
  })
  child.on('message', (message) => {
    if (child === current && isUp(message)) {
      isServing = true
      takeWanted()
    } else tell(child === current ? next : current, message as object)
  })
  child.on('error', (error) => {
    process.stderr.write(`  ${error.message}\n`)
    // Without descriptors or room for a process, a child that never ran emits no `exit`.
    if (child.pid === undefined) onExit(child, 1)
  })
  child.once('exit', (code, signal) => onExit(child, code ?? 128 + (signal ? constants.signals[signal] : 0)))
  return child
}

function tell(child: ChildProcess | undefined, message: object): void {
  // A child that is about to end gets no more messages; only its end counts.
  if (child?.connected) child.send(message, () => undefined)
}

function onExit(child: ChildProcess, code: number): void {
  if (child === next) {
    next = undefined
    tell(current, resumeMessage)
    process.stderr.write('  The new version did not start; the one before it goes on.\n')
    takeWanted()
  } else if (next) {
    current = next
    next = undefined
    tell(current, goneMessage)
    takeWanted()
  } else process.exitCode = code
}

function takeWanted(): void {
  if (!isWanted) return
  isWanted = false
  takeNewest()
}

function takeNewest(): void {
  if (next || !isServing) {
    isWanted = true
    process.stdout.write('  A version is still taking over; the newest one follows it.\n')
    return
  }
  process.stdout.write('  Starting the new version beside this one.\n')
  try {
    next = start(successorEnv)
  } catch (error) {
    process.stderr.write(`  The new version could not be started (${String(error)}); this one goes on.\n`)
  }
}

process.on('SIGUSR2', takeNewest)
for (const signal of signals)
  process.on(signal, () => {
    for (const child of [next, current]) child?.kill(signal)
  })
