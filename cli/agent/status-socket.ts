/**
 * How `ptun status` finds the agents of this machine: each listens on a Unix socket in its user's runtime folder and
 * answers a connection with its snapshot as JSON. Nothing is written to disk, so nothing can be stale: an agent that
 * does not answer is not running.
 */
import { readdir, rm } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import type { Clock } from '@porttunneler/shared/base/clock'
import { listenPrivately } from '@porttunneler/shared/base/private-files'
import { makePrivateFolder } from '../paths.ts'
import type { AgentSnapshot } from './events.ts'

const suffix = '.sock'
/** A snapshot of 500 tunnels is some 300 KiB; a longer answer is not from an agent of ours. */
const snapshotBytesMax = 1024 * 1024
const answerMsMax = 2_000

export type StatusSocket = { close(): Promise<void> }

/** @throws cli.folder, or the system's error when the path cannot be listened on (too long, no Unix sockets) */
export async function serveStatus(
  folder: string,
  { pid, snapshot }: { pid: number; snapshot: () => AgentSnapshot },
): Promise<StatusSocket> {
  await makePrivateFolder(folder)
  const path = join(folder, `${pid}${suffix}`)
  // The leftover of a killed process with the same number.
  await rm(path, { force: true })
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.end(JSON.stringify(snapshot()))
  })
  await listen(server, path)
  server.unref()
  return {
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

/** Snapshots of this user's agents, in the order they were started. Sockets that nobody answers are removed. */
export async function readStatuses(folder: string, clock: Clock): Promise<readonly AgentSnapshot[]> {
  const names = await readdir(folder).catch(() => [])
  const paths = names.filter((name) => name.endsWith(suffix)).map((name) => join(folder, name))
  const answers = await Promise.all(paths.map((path) => ask(path, clock)))
  return answers.flatMap((answer) => (answer ? [answer] : [])).toSorted((a, b) => a.startedAt - b.startedAt)
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    // Stays for good: if a later accept is refused (no descriptors), only that question fails, not the agent.
    server.on('error', reject)
    listenPrivately(() => server.listen(path, resolve))
  })
}

function ask(path: string, clock: Clock): Promise<AgentSnapshot | undefined> {
  return new Promise((resolve) => {
    let text = ''
    const socket = connect(path)
    const done = (snapshot: AgentSnapshot | undefined) => {
      timer.clear()
      socket.destroy()
      resolve(snapshot)
    }
    const timer = clock.after(answerMsMax, () => done(undefined))
    socket.setEncoding('utf8')
    socket.on('data', (chunk) => {
      text += chunk
      if (text.length > snapshotBytesMax) done(undefined)
    })
    socket.on('end', () => done(parse(text)))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') void rm(path, { force: true })
      done(undefined)
    })
  })
}

/** The folder belongs to the user, so an answer there is trusted once it has the fields of a snapshot. */
function parse(text: string): AgentSnapshot | undefined {
  try {
    const value = JSON.parse(text) as Partial<AgentSnapshot>
    return typeof value.pid === 'number' && Array.isArray(value.tunnels)
      ? (value as AgentSnapshot)
      : undefined
  } catch {
    // The agent died while it answered.
    return undefined
  }
}
