/**
 * A TCP proxy before an emulator that does what networks do: it can refuse, stall, and lose the answers to what got
 * through. Everything goes on by itself after `mend`.
 */
import { once } from 'node:events'
import { createServer, connect as dial, type Socket } from 'node:net'

type Weather = 'fine' | 'refusing' | 'silent' | 'losing answers'

export type CutProxy = {
  /** `host:port` to give to the client instead of the emulator's. */
  readonly host: string
  /** Ends what is connected, and those that come until `mend`. */
  refuse(): void
  /** Takes everything and passes nothing on, in either direction. */
  stall(): void
  /** Passes the next `bytes` or more to the emulator, waits for the answer, and cuts instead of passing it back. */
  loseNextAnswer(): Promise<void>
  mend(): void
  close(): Promise<void>
}

export async function openCutProxy(target: string): Promise<CutProxy> {
  const [host = '', port = ''] = target.split(':')
  const pairs = new Set<{ readonly near: Socket; readonly far: Socket }>()
  let weather: Weather = 'fine'
  let onLost = () => {}
  const cutAll = () => {
    for (const { near, far } of pairs) for (const socket of [near, far]) socket.destroy()
  }
  const server = createServer((near) => {
    const far = dial(Number(port), host)
    const pair = { near, far }
    pairs.add(pair)
    for (const socket of [near, far])
      socket
        .on('error', () => {})
        .on('close', () => {
          pairs.delete(pair)
          near.destroy()
          far.destroy()
        })
    if (weather === 'refusing') return void near.destroy()
    near.on('data', (chunk) => weather === 'silent' || far.write(chunk))
    far.on('data', (chunk) => {
      if (weather === 'silent') return
      // Short frames are settings, pings and window updates, not the answer to a call.
      if (weather === 'losing answers' && chunk.length > 60) {
        weather = 'fine'
        cutAll()
        onLost()
      } else near.write(chunk)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  return {
    host: `127.0.0.1:${address.port}`,
    refuse() {
      weather = 'refusing'
      cutAll()
    },
    stall() {
      weather = 'silent'
    },
    loseNextAnswer() {
      weather = 'losing answers'
      return new Promise((resolve) => {
        onLost = resolve
      })
    },
    mend() {
      // What was swallowed is missing from the streams that it belonged to.
      if (weather === 'silent') cutAll()
      weather = 'fine'
    },
    async close() {
      cutAll()
      server.close()
      await once(server, 'close')
    },
  }
}
