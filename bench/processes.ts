/** Processes of the bench: starts and stops its own, and reads the CPU time of a whole process tree. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { systemClock } from '@porttunneler/shared/base/clock'

/** Linux counts CPU time in hundredths of a second (USER_HZ), whatever the kernel's own tick is. */
const ticksPerSecond = 100
/** The page size of the machines this runs on; on others the ratios still hold. */
const pageBytes = 4_096

/** Starts a program with an IPC channel. */
export function forkProgram(file: URL): ChildProcess {
  return fork(file, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
}

/** The next IPC message. @throws when the process ends first */
export async function nextMessage(child: ChildProcess): Promise<unknown> {
  const ended = new AbortController()
  const exit = once(child, 'exit', { signal: ended.signal }).then(([code]) => {
    throw new Error(`the process ended with ${code} before it answered`)
  })
  try {
    return (await Promise.race([once(child, 'message', { signal: ended.signal }), exit]))[0]
  } finally {
    exit.catch(() => undefined)
    ended.abort()
  }
}

/** SIGTERM, and SIGKILL after 10 s; resolves when it is gone. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = systemClock.after(10_000, () => child.kill('SIGKILL'))
  await gone
  timer.clear()
}

/** CPU seconds, user and system, that these processes and all their descendants have used so far. */
export function cpuSeconds(roots: readonly number[]): number {
  return sum(roots, ({ ticks }) => ticks) / ticksPerSecond
}

/** Resident memory of these processes and all their descendants; shared memory counts for each. */
export function residentBytes(roots: readonly number[]): number {
  return sum(roots, ({ pages }) => pages) * pageBytes
}

function sum(roots: readonly number[], read: (process: Process) => number): number {
  const table = readProcesses()
  const counted = new Set(roots)
  for (let grown = true; grown; ) {
    const before = counted.size
    for (const [pid, { parent }] of table) if (counted.has(parent)) counted.add(pid)
    grown = counted.size > before
  }
  return [...counted].reduce((total, pid) => {
    const process = table.get(pid)
    return process ? total + read(process) : total
  }, 0)
}

type Process = { readonly parent: number; readonly ticks: number; readonly pages: number }

function readProcesses(): ReadonlyMap<number, Process> {
  const table = new Map<number, Process>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const process = readProcess(name)
    if (process) table.set(Number(name), process)
  }
  return table
}

/** proc(5): after the name in parentheses come state, parent, ... utime and stime as fields 14 and 15, rss as 24. */
function readProcess(pid: string): Process | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return {
      parent: Number(fields[1]),
      ticks: Number(fields[11]) + Number(fields[12]),
      pages: Number(fields[21]),
    }
  } catch {
    // It ended between listing and reading.
    return undefined
  }
}

/** The direct children of a process, with their command lines. */
export function childrenOf(parent: number): readonly { readonly pid: number; readonly command: string }[] {
  return [...readProcesses()]
    .filter(([, process]) => process.parent === parent)
    .map(([pid]) => ({ pid, command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ') }))
}

/**
 * CPU time of these processes without their descendants, in microseconds: of main threads, and of their other threads
 * (V8's compilers and collector). It counts nanoseconds, where `cpuSeconds` counts hundredths of a second.
 */
export function cpuOfThreads(pids: readonly number[]): { readonly main: number; readonly others: number } {
  let main = 0
  let others = 0
  for (const pid of pids)
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      // proc_pid_schedstat(5): its first number is the time on a CPU, ns.
      const text = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1')
      const us = Number(text.slice(0, text.indexOf(' '))) / 1_000
      if (Number(thread) === pid) main += us
      else others += us
    }
  return { main, others }
}
