/**
 * The container images: built by Debian's own programs without any image from elsewhere, twice the same, and run by
 * podman with the compose files that people get. `npm run images` runs it, and so does `npm run test:long`.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { commandOf, readDockerfile, valuesOf } from '@porttunneler/packaging/testing/dockerfile'
import { afterAll, beforeAll, expect } from 'vitest'
import { isWhole, longTest } from './breadth.ts'
import { eventually } from './harness/events.ts'
import { root as repository } from './harness/programs.ts'
import { temporaryFolder } from './harness/standalone.ts'
import { buildImages, type Images, removeStore, tags } from './images/build.ts'
import { type Engine, limits, openEngine, outside } from './images/engine.ts'
import { describeWith } from './requirements.ts'
import { makeFirstKey } from './vm/first-key.ts'

const programs = ['buildah', 'podman', 'podmanCompose', 'mmdebstrap', 'curl', 'nsenter'] as const
const host = 'tunnels.test'
const kinds = ['server', 'agent'] as const
/** More than Node's 126 MB by what people would notice, and with room for our own growth. */
const bytesMax = 160_000_000

describeWith(isWhole ? [...programs, 'ip', 'mounts', 'namespaces'] : [], 'images', () => {
  const folder = temporaryFolder('images')
  const parts = new AsyncDisposableStack()
  let first: Images
  let engine: Engine

  beforeAll(async () => {
    first = await buildImages(join(folder, 'first'))
    engine = await openEngine(parts, folder, first.store)
  }, 900_000)
  afterAll(async () => {
    await parts.disposeAsync()
    removeStore(folder)
  })

  longTest('two builds have the same files and settings, the base of Debian’s packages too', async () => {
    const second = await buildImages(join(folder, 'second'))
    expect(second.images).toEqual(first.images)
    removeStore(join(folder, 'second'))
  })

  longTest.each(kinds)('the image of the %s is what its Dockerfile says, and small', (kind) => {
    const instructions = readDockerfile(kind)
    const { config, layers } = first.images[kind]
    const ports = valuesOf(instructions, 'EXPOSE').flatMap((line) => line.split(' '))
    expect(config).toMatchObject({
      User: valuesOf(instructions, 'USER')[0],
      Entrypoint: commandOf(instructions, 'ENTRYPOINT'),
      Cmd: commandOf(instructions, 'CMD'),
      Volumes: { '/data': {} },
      WorkingDir: '/data',
      StopSignal: 'SIGTERM',
      Healthcheck: { Test: ['CMD', ...commandOf(instructions, 'HEALTHCHECK')] },
    })
    expect(config.Env).toEqual(
      expect.arrayContaining(valuesOf(instructions, 'ENV').flatMap((line) => line.split(' '))),
    )
    expect(Object.keys(config.ExposedPorts ?? {}).sort()).toEqual(ports.map((port) => `${port}/tcp`).sort())
    expect(layers.slice(0, 1)).toEqual(first.images.base.layers)
    expect(first.bytes[kind]).toBeLessThan(bytesMax)
    process.stdout.write(`${tags[kind]}: ${Math.round(first.bytes[kind] / 1e6)} MB\n`)
  })

  /** @param more what this machine needs besides the file that people get */
  async function up(
    kind: (typeof kinds)[number],
    more: object,
    env: Readonly<Record<string, string>>,
  ): Promise<void> {
    const place = join(folder, kind)
    mkdirSync(place, { recursive: true })
    const file = `compose.${kind}.yaml`
    copyFileSync(join(repository, 'packaging/docker', file), join(place, file))
    writeFileSync(join(place, 'more.yaml'), JSON.stringify({ services: more }))
    const words = ['podman-compose', '--file', file, '--file', 'more.yaml', 'up', '--detach']
    await engine.run(words, { cwd: place, env })
  }
  const healthOf = async (name: string) => (await engine.ask('podman', 'healthcheck', 'run', name)).exit.code
  const healthy = (name: string) =>
    eventually(`${name} is healthy`, async () => ((await healthOf(name)) === 0 ? true : undefined), 120_000)
  const stateOf = async (name: string) =>
    (
      await engine.run(['podman', 'inspect', name, '--format', '{{.State.Status}} {{.State.ExitCode}}'])
    ).trim()
  const here = { extra_hosts: [`${host}:${outside}`], ulimits: limits }
  const curl = (...words: string[]) => engine.run(['curl', '-sS', '--max-time', '10', ...words])

  longTest(
    'the server’s compose file starts a healthy server, whose user may nothing and can change nothing',
    async () => {
      await up('server', { server: here }, { PORTTUNNELER_IMAGE: tags.server, PORTTUNNELER_HOST: host })
      await healthy('server_server_1')
      const pid = (
        await engine.run(['podman', 'inspect', 'server_server_1', '--format', '{{.State.Pid}}'])
      ).trim()
      const status = readFileSync(`/proc/${pid}/status`, 'utf8')
      expect(status).toMatch(/^NSpid:\s+\d+\s+1$/m)
      expect(status).toMatch(/^Uid:\s+10001\s+10001\s+10001\s+10001$/m)
      expect(status).toMatch(/^Cap(Eff|Bnd):\s+0+$/m)
      expect(status).toMatch(/^NoNewPrivs:\s+1$/m)
      expect(status).toMatch(/^Seccomp:\s+2$/m)
      const [node = ''] = commandOf(readDockerfile('server'), 'ENTRYPOINT')
      for (const path of ['/x', '/etc/x', '/usr/lib/porttunneler/x']) {
        const code = `require('fs').writeFileSync('${path}', '')`
        expect((await engine.ask('podman', 'exec', 'server_server_1', node, '-e', code)).stderr).toContain(
          'EROFS',
        )
      }
      expect((await engine.ask('podman', 'exec', 'server_server_1', '/bin/sh', '-c', 'true')).exit.code).toBe(
        127,
      )
    },
  )

  longTest('the agent’s compose file publishes another container of its own, by http and tcp', async () => {
    const data = await engine.run([
      'podman',
      'volume',
      'inspect',
      'server_data',
      '--format',
      '{{.Mountpoint}}',
    ])
    const key = await makeFirstKey(data.trim(), (...words) => engine.run(words))
    const place = join(folder, 'agent')
    mkdirSync(place)
    writeFileSync(
      join(place, 'ptun.yaml'),
      'version: 1\ntunnels:\n  web: { kind: http, upstream: web:3000 }\n'.concat(
        '  raw: { kind: tcp, upstream: web:3000, port: 20007 }\n',
      ),
    )
    writeFileSync(join(place, 'agent.env'), `PTUN_SERVER=http://${host}:8400\nPTUN_KEY=${key}\n`, {
      mode: 0o600,
    })
    const code =
      'require("http").createServer((_, answer) => answer.end("from another container")).listen(3000)'
    const web = {
      image: tags.agent,
      entrypoint: ['/usr/lib/ptun/node/bin/node', '-e', code],
      command: [],
      ulimits: limits,
    }
    await up('agent', { agent: here, web }, { PTUN_IMAGE: tags.agent })
    await healthy('agent_agent_1')
    expect(await curl('--header', `Host: web.${host}:8480`, `http://${outside}:8480/`)).toBe(
      'from another container',
    )
    expect(await curl(`http://${outside}:20007/`)).toBe('from another container')
  })

  longTest('both end in order when they are told to', async () => {
    for (const name of ['agent_agent_1', 'server_server_1']) {
      await engine.run(['podman', 'stop', '--time', '30', name])
      expect(await stateOf(name)).toBe('exited 0')
    }
    expect(await engine.run(['podman', 'logs', 'server_server_1'])).toContain('shown this once')
  })
})
