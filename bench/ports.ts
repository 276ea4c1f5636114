/** Ports for programs that cannot report which port they chose. */
import { createServer } from 'node:net'
import { host } from './path.ts'

/** The system just had it free; another program could take it in between, but hardly ever does. */
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
