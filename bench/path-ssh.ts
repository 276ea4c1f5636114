/** The way through `ssh -R`: an sshd of our own on loopback and one client, both with throw-away keys. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { freePort } from '@porttunneler/shared/testing/ports'
import { type Backend, host, type Path } from './path.ts'
import { stop } from './processes.ts'

/** sshd needs this folder when it runs as root; usually a service manager makes it. */
const privilegeFolder = '/run/sshd'

/** @throws when sshd or ssh is missing or does not work here */
export async function openSshPath(backend: Backend): Promise<Path> {
  const folder = mkdtempSync(join(tmpdir(), 'pt-bench-ssh-'))
  const isRoot = userInfo().uid === 0
  const madeFolder = isRoot && !existsSync(privilegeFolder)
  if (madeFolder) mkdirSync(privilegeFolder, { mode: 0o755 })
  const children: ChildProcess[] = []
  const close = async () => {
    for (const child of children.toReversed()) await stop(child)
    rmSync(folder, { recursive: true, force: true })
    if (madeFolder) rmdirSync(privilegeFolder)
  }
  try {
    const port = await freePort()
    const server = startServer(folder, port)
    children.push(server)
    const client = await startClient(folder, port, backend, children)
    return {
      name: 'ssh -R',
      target: {
        tcp: { host, port: client.tcpPort },
        web: { host, port: client.httpPort },
      },
      ends: { server: pidsOf(server), client: pidsOf(client.process) },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

function startServer(folder: string, port: number): ChildProcess {
  const key = (name: string) =>
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, name)])
  key('host')
  key('user')
  execFileSync('cp', [join(folder, 'user.pub'), join(folder, 'authorized')])
  const config = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${join(folder, 'host')}`,
    `AuthorizedKeysFile ${join(folder, 'authorized')}`,
    `PidFile ${join(folder, 'pid')}`,
    'StrictModes no',
    'UsePAM no',
    'PasswordAuthentication no',
    'PermitRootLogin prohibit-password',
    'LogLevel ERROR',
  ]
  writeFileSync(join(folder, 'config'), `${config.join('\n')}\n`)
  // sshd re-executes itself and therefore insists on an absolute path.
  const sshd = ['/usr/sbin/sshd', '/usr/bin/sshd', '/usr/local/sbin/sshd'].find(existsSync)
  if (sshd === undefined) throw new Error('sshd is not installed')
  return spawn(sshd, ['-D', '-e', '-f', join(folder, 'config')], { stdio: ['ignore', 'ignore', 'pipe'] })
}

function pidsOf({ pid }: ChildProcess): readonly number[] {
  return pid === undefined ? [] : [pid]
}

/** Tries until the server answers, because sshd prints nothing when it is ready. */
async function startClient(folder: string, port: number, backend: Backend, children: ChildProcess[]) {
  const forwards = [backend.tcpPort, backend.httpPort].flatMap((to) => ['-R', `127.0.0.1:0:127.0.0.1:${to}`])
  const options = [
    'StrictHostKeyChecking=no',
    `UserKnownHostsFile=${join(folder, 'known')}`,
    'IdentitiesOnly=yes',
    'ExitOnForwardFailure=yes',
    'BatchMode=yes',
  ].flatMap((option) => ['-o', option])
  const args = ['-F', 'none', '-N', '-i', join(folder, 'user'), '-p', String(port), ...options, ...forwards]
  let said = ''
  for (let attempt = 0; attempt < 20; attempt++) {
    const client = spawn('ssh', [...args, `${userInfo().username}@127.0.0.1`], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const result = await allocatedPorts(client)
    if (typeof result !== 'string') {
      children.push(client)
      return { ...result, process: client }
    }
    said = result
    await sleep(systemClock, 150)
  }
  throw new Error(`ssh does not connect to its own server: ${said}`)
}

/** The two ports that the server chose, in the order requested; or the client's messages before it ended. */
function allocatedPorts(client: ChildProcess): Promise<{ tcpPort: number; httpPort: number } | string> {
  return new Promise((resolve, reject) => {
    const ports: number[] = []
    const lines: string[] = []
    client.once('error', reject)
    client.once('exit', () => resolve(lines.join(' ')))
    if (!client.stderr) throw new Error('ssh was started without a pipe for its messages')
    createInterface({ input: client.stderr }).on('line', (line) => {
      lines.push(line)
      const port = /^Allocated port (\d+) /.exec(line)?.[1]
      if (port !== undefined) ports.push(Number(port))
      const [tcpPort, httpPort] = ports
      if (tcpPort !== undefined && httpPort !== undefined) resolve({ tcpPort, httpPort })
    })
  })
}
