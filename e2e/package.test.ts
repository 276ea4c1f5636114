/** The package as users get it from npm: packed, installed into an empty folder, and used from there. */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { within } from './harness/events.ts'
import { root, runProgram, startProgram } from './harness/programs.ts'
import type { Service } from './harness/service.ts'
import { dial, type Listening, readBytes } from './harness/sockets.ts'
import { startStandaloneService, temporaryFolder } from './harness/standalone.ts'
import { startEcho } from './harness/upstreams.ts'

const packedSchema = z.array(
  z.object({
    filename: z.string(),
    size: z.int(),
    files: z.array(z.object({ path: z.string(), mode: z.int() })),
  }),
)
const onlineSchema = z.object({ event: z.literal('tunnel.online'), url: z.string() })
/** As much as a page with pictures: what `npx porttunneler` loads at first. 58 are the inspector, 40 all codes. */
const bytesMax = 500 * 1024

const ours = [
  /^dist\/[\w.-]+\.cjs$/,
  /^dist\/inspector\/(?:assets\/)?[\w-]+\.(?:js|css|woff2|svg|html|txt)$/,
  /^dist\/(?:LICENSE|third-party\.txt)$/,
  /^(?:README\.md|package\.json|index\.(?:js|d\.ts)|ptun\.(?:js|schema\.json))$/,
]

const folder = temporaryFolder('package')
const installed = join(folder, 'empty/node_modules')
let packed: z.output<typeof packedSchema>[number]

/** npm reads its settings from the user's folder, as for a user. */
function npm(args: readonly string[], cwd: string): string {
  return execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

beforeAll(() => {
  // The bundle is there (global-setup.ts), and other tests use it at this moment, so the pack must not make it again.
  const [first] = packedSchema.parse(
    JSON.parse(npm(['pack', '--ignore-scripts', '--json', '--pack-destination', folder], join(root, 'cli'))),
  )
  if (!first) throw new Error('npm packed nothing')
  packed = first
  mkdirSync(join(folder, 'empty'))
  npm(
    ['install', '--prefer-offline', '--no-audit', '--no-fund', join(folder, packed.filename)],
    join(folder, 'empty'),
  )
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('it holds the bundle, the licences and nothing of the repository', () => {
  const strange = packed.files.map(({ path }) => path).filter((path) => !ours.some((one) => one.test(path)))
  expect(strange).toEqual([])
  expect(packed.size).toBeLessThan(bytesMax)
  const words = [root, homedir() === '/' ? root : homedir(), 'registry.npmjs.org']
  for (const { path } of packed.files) {
    const text = readFileSync(join(installed, 'porttunneler', path), 'utf8')
    expect(
      words.filter((word) => text.includes(word)),
      path,
    ).toEqual([])
  }
})

test('whoever packs it packs a new bundle', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'cli/package.json'), 'utf8'))
  expect(scripts).toMatchObject({ build: 'node build.ts', prepack: 'npm run --silent build' })
})

test('nothing of it runs when it is installed', () => {
  const manifests = readdirSync(installed)
    .filter((name) => !name.startsWith('.') && existsSync(join(installed, name, 'package.json')))
    .map((name) => JSON.parse(readFileSync(join(installed, name, 'package.json'), 'utf8')))
  expect(manifests.map(({ name }) => name)).toContain('porttunneler')
  for (const { name, scripts = {} } of manifests)
    expect(
      Object.keys(scripts).filter((script) => /^(pre|post)?install$/.test(script)),
      name,
    ).toEqual([])
})

test('an older Node is told in a few words what is wanted', () => {
  // The one of the machine itself, if there is one.
  const folders = (process.env.PATH ?? '').split(':').filter((place) => !place.includes('node_modules'))
  const path = folders.map((place) => join(place, 'node')).find((file) => existsSync(file))
  if (path === undefined) return
  const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' })
  const { status, stderr } = spawnSync(path, [join(installed, '.bin/ptun'), '--version'], {
    encoding: 'utf8',
  })
  if (Number(/^v(\d+)/.exec(stdout)?.[1]) >= 24) expect(status).toBe(0)
  else
    expect({ status, stderr }).toMatchObject({
      status: 4,
      stderr: expect.stringContaining('ptun needs Node.js 24'),
    })
})

test('installed, it opens a tunnel', async () => {
  let service: Service | undefined
  let echo: Listening | undefined
  try {
    ;[service, echo] = await Promise.all([startStandaloneService(), startEcho()])
    const { exit, stdout } = await runProgram('node', [join(installed, '.bin/ptun'), '--version'])
    expect({ code: exit.code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+$/) })
    const args = ['--server', service.api, '--json', 'tcp', String(echo.port)]
    const agent = await startProgram('node', [join(installed, '.bin/ptun'), ...args], {
      cwd: folder,
      env: { PTUN_KEY: service.key, HOME: folder, XDG_STATE_HOME: join(folder, 'state') },
    })
    const line = await agent.lines.waitFor(({ text }) => text.includes('"tunnel.online"'), {
      what: 'the tunnel',
    })
    const { port } = new URL(onlineSchema.parse(JSON.parse(line.text)).url)
    const visitor = await dial({ host: '127.0.0.1', port: Number(port) })
    const back = readBytes(visitor, 5)
    visitor.write('hello')
    expect(String(await within(back, 'the echo'))).toBe('hello')
    visitor.destroy()
    expect((await agent.stop()).code).toBe(0)
    await openFromProgram(service)
  } finally {
    await Promise.all([service?.stop(), echo?.close()])
  }
})

/** As docs/guides/embedding.md has it, by the installed package: visitors get in, and the program ends by itself. */
async function openFromProgram(service: Service): Promise<void> {
  const program = `
    import { createServer } from 'node:http'
    import { forward } from 'porttunneler'
    const server = createServer((_, answer) => answer.end('from the program'))
    await using listener = await forward(server, { kind: 'tcp', name: 'inside' })
    const answer = await fetch('http://127.0.0.1:' + new URL(listener.url).port)
    console.log(answer.status, await answer.text(), listener.name)
    const refusal = await forward(1, { name: 'admin' }).catch((error) => error)
    console.log(refusal.code)
  `
  const path = join(folder, 'empty/embedding.mjs')
  writeFileSync(path, program)
  const { exit, stdout, stderr } = await runProgram('node', [path], {
    cwd: join(folder, 'empty'),
    env: {
      PTUN_SERVER: service.api,
      PTUN_KEY: service.key,
      HOME: folder,
      XDG_STATE_HOME: join(folder, 'state'),
    },
  })
  expect({ code: exit.code, stdout, stderr }).toEqual({
    code: 0,
    stdout: '200 from the program inside\nPT-2304',
    stderr: '',
  })
}
