/** Small peers: bore, chisel, and HAProxy as the cost of a proxy without a tunnel. */
import { join } from 'node:path'
import { freePort } from '@porttunneler/shared/testing/ports'
import { host, type PathMaker } from '../path.ts'
import { openPeer } from './run.ts'

/** It cannot be chosen. */
const borePort = 7835

/** No encryption, and a connection for each visitor. */
export function bore(bin: string): PathMaker {
  const program = join(bin, 'bore')
  return {
    name: 'bore',
    open: (backend) =>
      openPeer(async (run) => {
        const [tcp, web] = [await freePort(), await freePort()]
        run.start('server', program, ['server', '--bind-addr', host])
        await run.listening(borePort)
        const client = (from: number, to: number) =>
          run.start('client', program, ['local', String(to), '--to', host, '--port', String(from)])
        client(tcp, backend.tcpPort)
        client(web, backend.httpPort)
        return await run.ready('bore', { tcp: { host, port: tcp }, web: { host, port: web } })
      }),
  }
}

/** SSH inside a WebSocket. */
export function chisel(bin: string): PathMaker {
  const program = join(bin, 'chisel')
  return {
    name: 'chisel',
    open: (backend) =>
      openPeer(async (run) => {
        const [server, tcp, web] = [await freePort(), await freePort(), await freePort()]
        run.start('server', program, ['server', '--reverse', '--host', host, '--port', String(server)])
        await run.listening(server)
        const remote = (from: number, to: number) => `R:${host}:${from}:${host}:${to}`
        const remotes = [remote(tcp, backend.tcpPort), remote(web, backend.httpPort)]
        run.start('client', program, ['client', `http://${host}:${server}`, ...remotes])
        return await run.ready('chisel', { tcp: { host, port: tcp }, web: { host, port: web } })
      }),
  }
}

export function haproxy(program: string): PathMaker {
  return {
    name: 'haproxy',
    open: (backend) =>
      openPeer(async (run) => {
        const [tcp, web, vhost] = [await freePort(), await freePort(), await freePort()]
        const listen = (name: string, mode: string, from: number, to: number) => [
          `listen ${name}`,
          `  mode ${mode}`,
          `  bind ${host}:${from}`,
          `  server backend ${host}:${to}`,
        ]
        const times = ['client', 'server', 'connect'].map((side) => `  timeout ${side} 1m`)
        const file = run.file('haproxy.cfg', [
          'defaults',
          ...times,
          ...listen('tcp', 'tcp', tcp, backend.tcpPort),
          ...listen('web', 'tcp', web, backend.httpPort),
          ...listen('vhost', 'http', vhost, backend.httpPort),
        ])
        run.start('server', program, ['-db', '-q', '-f', file])
        return await run.ready('haproxy', {
          tcp: { host, port: tcp },
          web: { host, port: web },
          vhost: { host, port: vhost, name: 'bench.test' },
        })
      }),
  }
}
