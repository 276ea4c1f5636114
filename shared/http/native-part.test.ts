import { once } from 'node:events'
import { connect, createServer, type Http2Session, type Http2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { keepBehindStreams, nativePartOf } from './native-part.ts'

setFlagsFromString('--expose-gc')
const collect: (options?: { type: 'minor' }) => void = runInNewContext('gc')

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Both ends of a connection that has had a request and is over, by what is left of their native parts. */
async function ended(): Promise<readonly WeakRef<object>[]> {
  const sessions: Http2Session[] = []
  const server = createServer()
    .on('session', (session) => sessions.push(session))
    .on('stream', (stream) => stream.respond({}, { endStream: true }))
    .listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  sessions.push(client)
  const answer: Http2Stream = client.request().resume()
  await once(answer, 'close')
  for (const session of sessions) keepBehindStreams(session)
  const parts = sessions.map((session) => new WeakRef(nativePartOf(session) ?? missing))
  const closed = sessions.map((session) => once(session, 'close'))
  client.destroy()
  await Promise.all(closed)
  server.close()
  return parts
}
const missing = {}

test('the native part of an HTTP/2 session outlives a whole collection, as its streams do not', async () => {
  const parts = await ended()
  expect(parts).toHaveLength(2)
  const left = () => parts.filter((part) => part.deref() !== undefined && part.deref() !== missing).length
  for (let turns = 0; turns < 5; turns++) {
    await turn()
    collect({ type: 'minor' })
  }
  expect(left()).toBe(2)
  await turn()
  collect()
  await turn()
  expect(left()).toBe(2)
  while (left() > 0) {
    await turn()
    collect()
  }
})
