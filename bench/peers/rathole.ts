/** rathole: a connection for each visitor; without encryption, under TLS and under Noise. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { freePort } from '@porttunneler/shared/testing/ports'
import { host, type PathMaker } from '../path.ts'
import { makeCertificate, openssl } from './certificate.ts'
import { openPeer, type PeerRun } from './run.ts'

export type RatholeTransport = 'plain' | 'tls' | 'noise'

export function rathole(bin: string, transport: RatholeTransport): PathMaker {
  const program = join(bin, 'rathole')
  const name = `rathole ${transport}`
  return {
    name,
    open: (backend) =>
      openPeer(async (run) => {
        const [server, tcp, web] = [await freePort(), await freePort(), await freePort()]
        const secured = secure(transport, run, program)
        const serverFile = run.file('server.toml', [
          '[server]',
          `bind_addr = "${host}:${server}"`,
          'default_token = "bench"',
          ...secured.server,
          '[server.services.tcp]',
          `bind_addr = "${host}:${tcp}"`,
          '[server.services.web]',
          `bind_addr = "${host}:${web}"`,
        ])
        const clientFile = run.file('client.toml', [
          '[client]',
          `remote_addr = "${secured.serverName}:${server}"`,
          'default_token = "bench"',
          ...secured.client,
          '[client.services.tcp]',
          `local_addr = "${host}:${backend.tcpPort}"`,
          '[client.services.web]',
          `local_addr = "${host}:${backend.httpPort}"`,
        ])
        run.start('server', program, ['--server', serverFile])
        await run.listening(server)
        run.start('client', program, ['--client', clientFile])
        return await run.ready(name, { tcp: { host, port: tcp }, web: { host, port: web } })
      }),
  }
}

type Secured = {
  readonly server: readonly string[]
  readonly client: readonly string[]
  readonly serverName: string
}

function secure(transport: RatholeTransport, run: PeerRun, program: string): Secured {
  switch (transport) {
    case 'plain':
      return { server: [], client: [], serverName: host }
    case 'tls':
      return secureTls(run)
    case 'noise':
      return secureNoise(program)
  }
}

function secureTls({ folder }: PeerRun): Secured {
  makeCertificate(folder)
  const bundle = ['-inkey', 'key.pem', '-in', 'cert.pem', '-out', 'identity.pfx', '-passout', 'pass:bench']
  openssl(folder, ['pkcs12', '-export', ...bundle])
  return {
    server: [
      '[server.transport]',
      'type = "tls"',
      '[server.transport.tls]',
      `pkcs12 = "${join(folder, 'identity.pfx')}"`,
      'pkcs12_password = "bench"',
    ],
    client: [
      '[client.transport]',
      'type = "tls"',
      '[client.transport.tls]',
      `trusted_root = "${join(folder, 'cert.pem')}"`,
      'hostname = "localhost"',
    ],
    serverName: host,
  }
}

function secureNoise(program: string): Secured {
  const said = execFileSync(program, ['--genkey'], { encoding: 'utf8' })
  const [, secret, open] = /Private Key:\s*(\S+)\s*Public Key:\s*(\S+)/.exec(said) ?? []
  if (secret === undefined || open === undefined) throw new Error(`--genkey said: ${said}`)
  const transport = (end: 'server' | 'client', key: string) => [
    `[${end}.transport]`,
    'type = "noise"',
    `[${end}.transport.noise]`,
    key,
  ]
  return {
    server: transport('server', `local_private_key = "${secret}"`),
    client: transport('client', `remote_public_key = "${open}"`),
    serverName: host,
  }
}
