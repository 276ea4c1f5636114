/** A real nginx: one that believes the PROXY protocol and answers with its addresses, and one in front of relays. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from '@porttunneler/shared/testing/ports'
import { programPath } from '../requirements.ts'
import { eventually } from './events.ts'
import { startProgram, textOf } from './programs.ts'
import { dial } from './sockets.ts'

export type Nginx = { readonly port: number; close(): Promise<void> }

/** GET / answers "source address, source port, destination port" of the PROXY header; without one it closes. */
export async function startNginx(): Promise<Nginx> {
  const [port = 0] = await freePorts(1)
  return await runNginx(
    port,
    `server {
      listen 127.0.0.1:${port} proxy_protocol;
      location / {
        default_type text/plain;
        return 200 "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_port";
      }
    }`,
  )
}

/** `servers` is the content of `http {}`, and listens on `port` of loopback. */
export async function runNginx(port: number, servers: string): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'ptun-nginx-'))
  const config = join(folder, 'nginx.conf')
  writeFileSync(config, configOf(folder, servers))
  const server = await startProgram(programPath('nginx'), ['-c', config, '-p', folder, '-e', 'stderr'], {
    cwd: folder,
  })
  try {
    await eventually('nginx listens', async () => (await dial({ host: '127.0.0.1', port })).destroy())
  } catch (cause) {
    await server.stop('SIGKILL')
    throw new Error(textOf(server, 'stderr'), { cause })
  }
  return {
    port,
    close: async () => {
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function configOf(folder: string, servers: string): string {
  const scratch = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `
daemon off;
master_process off;
pid ${join(folder, 'nginx.pid')};
events { worker_connections 64; }
http {
  access_log off;
  ${scratch.map((name) => `${name}_temp_path ${join(folder, name)};`).join('\n  ')}
  ${servers}
}
`
}
