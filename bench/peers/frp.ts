/**
 * frp with its defaults (its own multiplexer over TLS), and with the multiplexer off and a pool of ready connections.
 */
import { join } from 'node:path'
import { freePort } from '@porttunneler/shared/testing/ports'
import { host, type PathMaker } from '../path.ts'
import { openPeer } from './run.ts'

const vhostName = 'bench.test'

export function frp(bin: string, { mux }: { readonly mux: boolean }): PathMaker {
  const name = mux ? 'frp' : 'frp nomux'
  return {
    name,
    open: (backend) =>
      openPeer(async (run) => {
        const [server, vhost, tcp, web] = [
          await freePort(),
          await freePort(),
          await freePort(),
          await freePort(),
        ]
        const common = ['log.level = "error"', `transport.tcpMux = ${mux}`]
        const serverFile = run.file('frps.toml', [
          `bindAddr = "${host}"`,
          `proxyBindAddr = "${host}"`,
          `bindPort = ${server}`,
          `vhostHTTPPort = ${vhost}`,
          ...common,
        ])
        const proxy = (proxyName: string, type: string, localPort: number, rest: string) => [
          '[[proxies]]',
          `name = "${proxyName}"`,
          `type = "${type}"`,
          `localIP = "${host}"`,
          `localPort = ${localPort}`,
          rest,
        ]
        const clientFile = run.file('frpc.toml', [
          `serverAddr = "${host}"`,
          `serverPort = ${server}`,
          ...common,
          ...(mux ? [] : ['transport.poolCount = 5']),
          ...proxy('tcp', 'tcp', backend.tcpPort, `remotePort = ${tcp}`),
          ...proxy('web', 'tcp', backend.httpPort, `remotePort = ${web}`),
          ...proxy('vhost', 'http', backend.httpPort, `customDomains = ["${vhostName}"]`),
        ])
        run.start('server', join(bin, 'frps'), ['-c', serverFile])
        await run.listening(server)
        run.start('client', join(bin, 'frpc'), ['-c', clientFile])
        return await run.ready(name, {
          tcp: { host, port: tcp },
          web: { host, port: web },
          vhost: { host, port: vhost, name: vhostName },
        })
      }),
  }
}
