/**
 * The images as containers, without a container engine: what the Dockerfiles say, run as process 1 of its own, by their
 * user, in a read-only file system. `npm run image -w packaging` builds the images themselves.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { commandOf, readDockerfile, valuesOf } from '@porttunneler/packaging/testing/dockerfile'
import { faultsOf } from '@porttunneler/packaging/testing/sbom-faults'
import { makeAgentTree, makeServerTree } from '@porttunneler/packaging/tree'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from './harness/events.ts'
import { childrenOf, type Program, root as repository, runProgram, startProgram } from './harness/programs.ts'
import { temporaryFolder } from './harness/standalone.ts'
import { describeWith } from './requirements.ts'
import { makeFirstKey } from './vm/first-key.ts'

const network = `ptun-container-${process.pid}`
const uid = 10_001

describeWith(['ip', 'mounts', 'namespaces', 'setpriv', 'curl', 'nsenter'], 'containers', () => {
  const folder = temporaryFolder('container')
  const running: Container[] = []

  beforeAll(async () => {
    execFileSync('ip', ['netns', 'add', network])
    execFileSync('ip', ['-n', network, 'link', 'set', 'lo', 'up'])
    await makeServerTree(join(folder, 'server-layer/usr/lib/porttunneler'))
    await makeAgentTree(join(folder, 'agent-layer/usr/lib/ptun'))
  })
  afterAll(async () => {
    for (const { pid, program } of running) {
      if (spawnSync('kill', ['-0', String(pid)]).status === 0) process.kill(pid, 'SIGKILL')
      await program.stop('SIGKILL')
    }
    spawnSync('ip', ['netns', 'del', network], { stdio: 'ignore' })
    rmSync(folder, { recursive: true, force: true })
  })

  type Container = {
    readonly program: Program
    /** Process 1 of the container, as this machine knows it. */
    readonly pid: number
    readonly data: string
    /** The exit code of the health check. */
    health(): Promise<number | null>
    run(...words: string[]): Promise<Awaited<ReturnType<typeof runProgram>>>
  }

  /** @param files below /etc */
  async function start(
    kind: 'server' | 'agent',
    env: Readonly<Record<string, string>>,
    files: Readonly<Record<string, string>> = {},
  ): Promise<Container> {
    const instructions = readDockerfile(kind)
    const fixed = valuesOf(instructions, 'ENV').flatMap((line) => line.split(' '))
    const given = Object.entries(env).map(([name, value]) => `${name}=${value}`)
    const variables = ['PATH=/usr/sbin:/usr/bin', ...fixed, ...given]
    const root = join(folder, kind)
    mkdirSync(join(root, 'etc/ptun'), { recursive: true })
    // Engines write this one.
    const all = { hosts: '127.0.0.1 localhost\n', ...files }
    for (const [name, text] of Object.entries(all)) writeFileSync(join(root, 'etc', name), text)
    const data = join(root, 'data')
    mkdirSync(data, { recursive: true, mode: 0o700 })
    chownSync(data, uid, uid)
    const command = [...commandOf(instructions, 'ENTRYPOINT'), ...commandOf(instructions, 'CMD')]
    const script = join(repository, 'e2e/vm/container.sh')
    const args = [
      '--mount',
      '--pid',
      '--fork',
      'bash',
      script,
      root,
      join(folder, `${kind}-layer`),
      String(uid),
    ]
    const program = await startProgram('unshare', [...args, ...variables, ...command], { namespace: network })
    const isProcess = ({ command: words }: { command: string }) => words.startsWith(command[0] ?? '')
    const { pid } = await eventually('the process', () => childrenOf(program.pid).find(isProcess))
    const run = (...words: string[]) => {
      const into = ['--target', String(pid), '--mount', '--pid', '--net', '--root', '--wd=/']
      const user = [
        'setpriv',
        '--reuid',
        String(uid),
        '--regid',
        String(uid),
        '--clear-groups',
        '--no-new-privs',
      ]
      return runProgram('nsenter', [...into, ...user, 'env', '-i', ...variables, ...words])
    }
    const container = {
      ...{ program, pid, data, run },
      health: async () => (await run(...commandOf(instructions, 'HEALTHCHECK'))).exit.code,
    }
    running.push(container)
    return container
  }

  const inNetwork = async (...words: string[]) => {
    const [command = '', ...args] = words
    return (await runProgram(command, args, { namespace: network })).stdout
  }
  const healthy = (container: Container) => async () => (await container.health()) === 0 || undefined
  let server: Container
  let agent: Container

  test('each image has a bill of materials that CycloneDX takes, with the programs inside', async () => {
    for (const [layer, names] of [
      ['server-layer/usr/lib/porttunneler', ['hono', 'preact']],
      ['agent-layer/usr/lib/ptun', ['open']],
    ] as const) {
      const sbom = readFileSync(join(folder, layer, 'sbom.cdx.json'), 'utf8')
      expect(await faultsOf(sbom)).toBeNull()
      for (const name of names) expect(sbom).toContain(`"purl": "pkg:npm/${name}@`)
    }
  })

  test('the server becomes healthy, as process 1 and as its user, who may nothing and can change nothing', async () => {
    server = await start('server', { PORTTUNNELER_HOST: 'localhost', PORTTUNNELER_DEMO: 'false' })
    await eventually('it is healthy', healthy(server), 60_000)
    const status = readFileSync(`/proc/${server.pid}/status`, 'utf8')
    const field = (name: string) => new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(status)?.[1]?.split(/\s+/)
    expect(field('NSpid')?.at(-1)).toBe('1')
    expect(new Set([field('Uid'), field('Gid')].flat())).toEqual(new Set([String(uid)]))
    expect([field('CapEff'), field('CapBnd')].flat()).toEqual(['0'.repeat(16), '0'.repeat(16)])
    expect(field('NoNewPrivs')).toEqual(['1'])
    const { stderr } = await server.run('touch', '/x', '/etc/x', '/usr/lib/porttunneler/x')
    expect(stderr.match(/Read-only file system/g)).toHaveLength(3)
  })

  test('the agent is healthy once its tunnel is online, and visitors reach it', async () => {
    const key = await makeFirstKey(server.data, inNetwork)
    const tunnels =
      'version: 1\ntunnels:\n  raw:\n    kind: tcp\n    upstream: 127.0.0.1:8400\n    port: 20007\n'
    agent = await start(
      'agent',
      { PTUN_SERVER: 'http://127.0.0.1:8400', PTUN_KEY: key },
      { 'ptun/ptun.yaml': tunnels },
    )
    await eventually('it is healthy', healthy(agent), 60_000)
    expect(await inNetwork('curl', '-sS', 'http://127.0.0.1:20007/v1/health')).toContain('ok')
  })

  test('told to stop, the server is no longer healthy while a connection goes on, and then ends with 0', async () => {
    const visitor = await startProgram(
      'bash',
      ['-c', 'exec 3<>/dev/tcp/127.0.0.1/20007; echo open; read -r -u 3'],
      {
        namespace: network,
      },
    )
    await visitor.lines.waitFor(({ text }) => text === 'open', { what: 'the connection' })
    process.kill(server.pid, 'SIGTERM')
    await eventually('it is not healthy', async () => (await server.health()) !== 0 || undefined)
    await visitor.stop('SIGKILL')
    expect((await server.program.exited).code).toBe(0)
    await eventually('nor is the agent', async () => (await agent.health()) !== 0 || undefined, 60_000)
    process.kill(agent.pid, 'SIGTERM')
    expect((await agent.program.exited).code).toBe(0)
  })
})
