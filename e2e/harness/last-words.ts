/** Upstreams that answer and break off, and visitors that read until they know how the connection ended. */
import type { Socket } from 'node:net'

export const answer =
  'HTTP/1.1 413 Content Too Large\r\nContent-Length: 8\r\nConnection: close\r\n\r\ntoo much'

/** How an upstream breaks off, and what the visitor sees of it after the answer. */
export const breaks = {
  'answers and resets': {
    name: 'resets',
    ends: ['reset'],
    serve: (socket: Socket, raw: Socket = socket, words = answer) =>
      void socket.write(words, () => raw.resetAndDestroy()),
  },
  'answers and closes with input unread': {
    name: 'closes',
    ends: ['reset', 'end'],
    serve: (socket: Socket, raw: Socket = socket, words = answer) =>
      void socket.write(words, () => raw.destroy()),
  },
  'answers, ends and closes with input unread': {
    name: 'ends',
    ends: ['end'],
    serve: (socket: Socket, raw: Socket = socket, words = answer) =>
      void socket.end(words, () => raw.destroy()),
  },
} as const

const atOnce = 10

/** Runs `once` `count` times, ten at a time. */
export async function repeat<T>(count: number, once: () => Promise<T>): Promise<readonly T[]> {
  const all: T[] = []
  while (all.length < count) all.push(...(await Promise.all(Array.from({ length: atOnce }, once))))
  return all
}

/** All bytes that come, and how the connection ends first. */
export async function hear(
  socket: Socket,
): Promise<{ readonly text: string; readonly end: 'reset' | 'end' }> {
  let text = ''
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
  })
  const end = await new Promise<'reset' | 'end'>((resolve) => {
    socket.once('end', () => resolve('end'))
    socket.once('error', () => resolve('reset'))
  })
  socket.on('error', () => undefined)
  socket.destroy()
  return { text, end }
}
