/** A real sshd with keys made for one test, and the ssh command line that reaches it through a given address. */
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { freePorts } from '@porttunneler/shared/testing/ports'
import { eventually } from './events.ts'
import { programPath } from './installed.ts'
import { runProgram, startProgram, textOf } from './programs.ts'
import { type Address, dial } from './sockets.ts'
import { temporaryFolder } from './standalone.ts'

export type SshServer = {
  readonly port: number
  /** What makes `ssh` use the test's key and know the server. */
  readonly options: readonly string[]
  /** Arguments for `ssh` up to the remote command. */
  arguments(at: Address): readonly string[]
  close(): Promise<void>
}

/** @param port default: one that is free */
export async function startSsh(port?: number): Promise<SshServer> {
  const folder = temporaryFolder('ssh')
  const file = (name: string) => join(folder, name)
  await Promise.all(['host', 'user'].map((name) => makeKeyPair(file(name))))
  writeFileSync(file('authorized'), readFileSync(file('user.pub')))
  chmodSync(file('authorized'), 0o600)
  const at = port ?? (await freePorts(1))[0] ?? 0
  const settings = [
    'ListenAddress 127.0.0.1',
    `Port ${at}`,
    `HostKey ${file('host')}`,
    `AuthorizedKeysFile ${file('authorized')}`,
    'PidFile none',
    'StrictModes no',
    'PasswordAuthentication no',
    'PermitRootLogin prohibit-password',
  ]
  writeFileSync(file('sshd_config'), `${settings.join('\n')}\n`)
  // sshd wants its folder for privilege separation; only root may and has to make it.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
  const server = await startProgram(programPath('sshd'), ['-D', '-e', '-f', file('sshd_config')])
  try {
    await eventually('sshd listens', async () => (await dial({ host: '127.0.0.1', port: at })).destroy())
  } catch (cause) {
    await server.stop('SIGKILL')
    throw new Error(textOf(server, 'stderr'), { cause })
  }
  writeFileSync(file('known_hosts'), `ssh-test ${readFileSync(file('host.pub'), 'utf8')}`)
  const options = [
    ...['-F', 'none', '-i', file('user'), '-l', userInfo().username, '-T'],
    ...['-o', 'BatchMode=yes', '-o', 'HostKeyAlias=ssh-test', '-o', 'StrictHostKeyChecking=yes'],
    ...['-o', `UserKnownHostsFile=${file('known_hosts')}`, '-o', 'IdentitiesOnly=yes'],
  ]
  return {
    port: at,
    options,
    arguments: (address) => [...options, '-p', String(address.port), address.host],
    close: async () => {
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function makeKeyPair(path: string): Promise<void> {
  const { exit, stderr } = await runProgram(programPath('sshKeygen'), [
    '-q',
    '-t',
    'ed25519',
    '-N',
    '',
    '-f',
    path,
  ])
  if (exit.code !== 0) throw new Error(`ssh-keygen: ${stderr}`)
}
