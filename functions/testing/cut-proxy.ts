/**
 * A TCP proxy in front of an emulator that behaves like a bad network: it can refuse, stall, and lose answers to calls
 * that got through. After `mend` everything works again.
 */
import { once } from 'node:events'
import { createServer, connect as dial, type Socket } from 'node:net'

type Weather = 'fine' | 'refusing' | 'silent' | 'losing answers'

export type CutProxy = {
  /** `host:port` for the client instead of the emulator's. */
  readonly host: string
  /** Ends connections, and new ones until `mend`. */
  refuse(): void
  /** Accepts everything and passes nothing on, in either direction. */
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
      // The swallowed bytes are missing from their streams.
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
