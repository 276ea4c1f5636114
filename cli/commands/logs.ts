/** `ptun logs`: what the running agents of this machine tell, from a little before now on. */
import { readdir, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fail } from '@porttunneler/shared/base/errors'
import { eventSuffix, type LoggedEvent } from '../agent/event-socket.ts'
import type { Context } from '../context.ts'
import { sentenceOf } from '../output/lines.ts'
import { errnoOf, runtimeFolder } from '../paths.ts'

export type LogOptions = {
  /** False with --no-follow. */
  readonly follow?: boolean
}

/** A line of an agent is some 1 kB; a longer one is not from ours. */
const lineMax = 64 * 1024

/**
 * Ends when all agents have, or at Ctrl-C.
 * @param name only what happens to this tunnel
 * @throws logs.none if no agent runs
 */
export async function logs(
  context: Context,
  name: string | undefined,
  { follow = true }: LogOptions,
): Promise<number> {
  const folder = runtimeFolder(context.env)
  const files = (await readdir(folder).catch(() => [])).filter((file) => file.endsWith(eventSuffix))
  const sockets = (await Promise.all(files.map((file) => open(join(folder, file))))).flatMap(
    (one) => one ?? [],
  )
  if (sockets.length === 0) throw fail('logs.none')
  const stop = () => {
    for (const socket of sockets) socket.destroy()
  }
  process.once('SIGINT', stop)
  await Promise.all(sockets.map((socket) => read(socket, { context, name, follow })))
  process.off('SIGINT', stop)
  return 0
}

/** @returns undefined if its agent is gone; then the leftover is removed */
function open(path: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => resolve(socket))
    socket.once('error', (error) => {
      if (errnoOf(error) === 'ECONNREFUSED') void rm(path, { force: true })
      resolve(undefined)
    })
  })
}

type Reading = Required<LogOptions> & { readonly context: Context; readonly name: string | undefined }

async function read(socket: Socket, { context, name, follow }: Reading): Promise<void> {
  socket.on('error', () => socket.destroy())
  for await (const line of createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY })) {
    const event = line.length > lineMax ? undefined : parse(line)
    if (!event) continue
    if (event.event === 'log.now') {
      if (follow) continue
      break
    }
    if (name === undefined || ('tunnel' in event && event.tunnel === name)) write(context, event)
  }
  socket.destroy()
}

function write({ stdout, isJson, isVerbose }: Context, event: LoggedEvent): void {
  if (event.event.startsWith('connection.') && !isVerbose) return
  if (isJson) {
    stdout.write(`${JSON.stringify(event)}\n`)
    return
  }
  const sentence = sentenceOf([event], { isVerbose })
  if (sentence !== undefined) stdout.write(`${event.at} ${sentence}\n`)
}

/** The folder is the user's own, so a line there is trusted once it has what every event has. */
function parse(line: string): LoggedEvent | { readonly event: 'log.now' } | undefined {
  try {
    const value = JSON.parse(line)
    return typeof value?.event === 'string' ? value : undefined
  } catch {
    return undefined
  }
}
