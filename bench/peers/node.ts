/** Not a peer but a bound: two bare proxies in Node, one behind the other, as relay and agent are. */
import { fileURLToPath } from 'node:url'
import { freePort } from '@porttunneler/shared/testing/ports'
import { host, type PathMaker } from '../path.ts'
import { makeCertificate } from './certificate.ts'
import { openPeer } from './run.ts'

const program = fileURLToPath(new URL('node-proxy.ts', import.meta.url))

export function bareNode({ isEncrypted }: { readonly isEncrypted: boolean }): PathMaker {
  const name = isEncrypted ? 'bare node tls' : 'bare node'
  return {
    name,
    open: (backend) =>
      openPeer(async (run) => {
        if (isEncrypted) makeCertificate(run.folder)
        const [tcp, web] = [await freePort(), await freePort()]
        const [tcpBetween, webBetween] = [await freePort(), await freePort()]
        const start = (end: 'server' | 'client', mode: string, pairs: readonly number[]) =>
          run.start(end, process.execPath, [program, isEncrypted ? mode : 'plain', ...pairs.map(String)])
        start('server', 'tls-out', [tcp, tcpBetween, web, webBetween])
        start('client', 'tls-in', [tcpBetween, backend.tcpPort, webBetween, backend.httpPort])
        return await run.ready(name, { tcp: { host, port: tcp }, web: { host, port: web } })
      }),
  }
}
