/** Ports for programs that cannot tell which one they chose. */
import { createServer } from 'node:net'
import { host } from './path.ts'

/** Borrowed from the system just before; another program could take it in between, and hardly ever does. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, host, () => {
      const address = server.address()
      server.close(() => (address && typeof address === 'object' ? resolve(address.port) : reject()))
    })
  })
}
