/** Not a peer but a bound: two bare proxies in Node, one behind the other, as relay and agent are. */
import { fileURLToPath } from 'node:url'
import { host, type PathMaker } from '../path.ts'
import { freePort } from '../ports.ts'
import { openPeer } from './run.ts'

const program = fileURLToPath(new URL('node-proxy.ts', import.meta.url))

export const bareNode: PathMaker = {
  name: 'bare node',
  open: (backend) =>
    openPeer(async (run) => {
      const [tcp, web] = [await freePort(), await freePort()]
      const [tcpBetween, webBetween] = [await freePort(), await freePort()]
      const start = (end: 'server' | 'client', pairs: readonly number[]) =>
        run.start(end, process.execPath, [program, ...pairs.map(String)])
      start('server', [tcp, tcpBetween, web, webBetween])
      start('client', [tcpBetween, backend.tcpPort, webBetween, backend.httpPort])
      return await run.ready('bare node', { tcp: { host, port: tcp }, web: { host, port: web } })
    }),
}
