import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { main } from './main.ts'
import { version } from './version.ts'

const folder = mkdtempSync(join(tmpdir(), 'ptun-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Nothing of the machine's user, and a server that certainly does not exist. */
const env = {
  HOME: folder,
  XDG_CONFIG_HOME: join(folder, 'config'),
  XDG_STATE_HOME: join(folder, 'state'),
  XDG_RUNTIME_DIR: join(folder, 'run'),
  PTUN_SERVER: 'http://127.0.0.1:9',
}
const key = `pts_${'a'.repeat(43)}`

async function run(args: readonly string[], more: Record<string, string> = {}) {
  const written = { stdout: '', stderr: '' }
  const to = (name: 'stdout' | 'stderr') => ({
    write: (text: string) => {
      written[name] += text
    },
  })
  const exit = await main(args, { stdout: to('stdout'), stderr: to('stderr'), env: { ...env, ...more } })
  return { exit, ...written }
}

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const goodFile = file('good.yaml', 'version: 1\ntunnels:\n  web: {kind: http, upstream: 3000}\n')
const badFile = file('bad.yaml', 'version: 1\ntunnels:\n  web: {kind: http, upstraem: 3000}\n')

test.each([
  ['completion csh', '"csh" is none of bash, zsh, fish, powershell.'],
  ['list --state fine', '--state: "fine" is none of upstream_failing, refused,'],
])('ptun %s: the choices are told', async (args, text) =>
  expect((await run(args.split(' '))).stderr).toContain(text),
)

test.each<[args: string, more: Record<string, string>, named: RegExp]>([
  ['tcp 22', { PTUN_AUTH: 'a:b' }, /^ +PTUN_AUTH: /m],
  ['tcp 22 --auth a:b', {}, /^ +--auth: /m],
  ['tcp 22 --auth a:b', { PTUN_AUTH: 'a:b' }, /^ +--auth and PTUN_AUTH: /m],
  ['tcp 22 --verify-webhook github', { PTUN_WEBHOOK_SECRET: 'x' }, /^ +--verify-webhook: (?!.*PTUN_AUTH)/m],
  ['tls 22 --hsts', {}, /^ +--hsts: (?!.*PTUN_AUTH)/m],
])('ptun %s with %o: what is not for this kind is named as it was written', async (args, more, named) => {
  const { stderr } = await run(args.split(' '), more)
  expect(stderr).toContain('PT-6006')
  expect(stderr).toMatch(named)
})

describe('command line', () => {
  test.each<[args: string, exit: number, code: string]>([
    ['tpc 22', 2, 'PT-6001'],
    ['tcp', 2, 'PT-6001'],
    ['tcp 22 33', 2, 'PT-6001'],
    ['http 3000 --region eu', 2, 'PT-6001'],
    ['http 3000 --port 80', 2, 'PT-6001'],
    ['http 3000 --name Shop', 2, 'PT-2405'],
    ['http 3000 --name my_shop', 2, 'PT-2405'],
    ['http 3000 --name ｓｈｏｐ', 2, 'PT-2405'],
    [`http 3000 --name ${'a'.repeat(41)}`, 2, 'PT-2406'],
    ['http 3000 --name shop-', 2, 'PT-2407'],
    // Each of them would be another host after a mapping that nobody sees.
    ['domains remove %41.example.com --yes', 2, 'PT-2405'],
    ['domains check ｓｈｏｐ.example.com', 2, 'PT-2405'],
    ['domains check 127.1', 2, 'PT-2408'],
    [`tcp 1 --port 20100-20101 --name ${'a'.repeat(35)}`, 2, 'PT-6001'],
    ['tcp 22 --port 70000', 2, 'PT-6001'],
    ['keys create', 2, 'PT-6001'],
    ['http http://localhost:3000', 2, 'PT-6002'],
    ['tcp 22 --auth alice:x', 2, 'PT-6006'],
    ['tls 22 --host-header rewrite', 2, 'PT-6006'],
    ['tcp https://localhost:443', 2, 'PT-6006'],
    ['http 3000 --auth alice', 2, 'PT-6001'],
    ['http 3000 --rewrite-origin', 2, 'PT-6001'],
    ['tcp 22 --upstream-protocol h2c', 2, 'PT-6006'],
    ['http 3000 --upstream-protocol http3', 2, 'PT-6001'],
    ['http 3000 --upstream-protocol h2', 2, 'PT-6001'],
    ['http 3000 --upstream-protocol h2c --proxy-protocol v2', 2, 'PT-6001'],
    ['http 3000 --request-header-set NoColon', 2, 'PT-6008'],
    ['http 3000 --request-header-set TE:trailers', 2, 'PT-6008'],
    ['http 3000 --request-header-remove content-length', 2, 'PT-6008'],
    ['http 3000 --request-header-add Host:x', 2, 'PT-6008'],
    ['tcp 3000 --request-header-remove cookie', 2, 'PT-6006'],
    ['http 3000 --response-header-set Content-Length:1', 2, 'PT-6008'],
    ['http 3000 --hsts-max-age 60', 2, 'PT-6001'],
    ['http 3000 --hsts --hsts-max-age 1y', 2, 'PT-6001'],
    ['tcp 3000 --hsts', 2, 'PT-6006'],
    ['http 3000 --allow 10.0.0.0/33', 2, 'PT-6001'],
    ['tcp 3000 --deny here', 2, 'PT-6001'],
    ['http 3000 --max-body 10TB', 2, 'PT-6001'],
    ['http 3000 --requests-per-minute 0', 2, 'PT-6001'],
    ['tcp 3000 --https-only', 2, 'PT-6006'],
    ['http 3000 --redirect /old', 2, 'PT-6009'],
    ['http 3000 --redirect /old->/old', 2, 'PT-6009'],
    ['tls 3000 --redirect /old->/new', 2, 'PT-6006'],
    [`http 3000 --auth-file ${join(folder, 'none.txt')}`, 2, 'PT-6007'],
    [`http https://x --upstream-ca ${goodFile}`, 2, 'PT-6007'],
    ['list --server ftp://x', 2, 'PT-6003'],
    ['list --server http://x/path', 2, 'PT-6003'],
    ['list --server http://user:secret@x', 2, 'PT-6003'],
    [`start --config ${join(folder, 'none.yaml')}`, 2, 'PT-6010'],
    [`start --config ${badFile}`, 2, 'PT-6012'],
    [`config check ${badFile}`, 2, 'PT-6012'],
    [`start --config ${goodFile} wbe`, 2, 'PT-6013'],
    ['list', 3, 'PT-6020'],
    ['http 3000', 3, 'PT-6020'],
    ['whoami', 3, 'PT-6020'],
  ])('ptun %s ends with %i and says %s', async (args, exit, code) => {
    const text = await run(args.split(' '))
    expect(text).toMatchObject({ exit, stdout: '' })
    expect(text.stderr).toMatch(new RegExp(`^${code} `))
    const json = await run([...args.split(' '), '--json'])
    expect(json).toMatchObject({ exit, stderr: '' })
    expect(JSON.parse(json.stdout)).toMatchObject({ event: 'error', code, exit, cure: expect.any(String) })
  })

  test('where the working folder is gone, a command goes on, or says what it looked for', async () => {
    const gone = vi.spyOn(process, 'cwd').mockImplementation(() => {
      throw Object.assign(new Error('ENOENT: process.cwd failed, uv_cwd'), { code: 'ENOENT' })
    })
    expect(await run(['http', '3000'])).toMatchObject({ exit: 3, stderr: expect.stringMatching(/^PT-6020/) })
    expect(await run(['start'])).toMatchObject({ exit: 2, stderr: expect.stringMatching(/^PT-6010/) })
    gone.mockRestore()
  })

  test('an invalid key and an absent server have their own codes', async () => {
    expect(await run(['list'], { PTUN_KEY: 'hunter2' })).toMatchObject({
      exit: 3,
      stderr: expect.stringMatching(/^PT-6023/),
    })
    expect(await run(['list'], { PTUN_KEY: key })).toMatchObject({
      exit: 1,
      stderr: expect.stringMatching(/^PT-6030/),
    })
  })

  test('programs get problems of the configuration with line and column', async () => {
    const { stdout } = await run(['config', 'check', badFile, '--json'])
    expect(JSON.parse(stdout).problems).toEqual([
      {
        line: 3,
        column: 21,
        path: ['tunnels', 'web', 'upstraem'],
        message: expect.stringContaining('did you mean "upstream"?'),
      },
    ])
  })

  test('a misspelt verb or option gets a suggestion', async () => {
    expect((await run(['lsit'])).stderr).toContain('Did you mean list?')
    expect((await run(['http', '3000', '--takover'])).stderr).toContain('Did you mean --takeover?')
  })

  test('a pool is refused without the name that its agents share', async () => {
    const { exit, stderr } = await run(['http', '3000', '--pool'])
    expect([exit, stderr]).toEqual([2, expect.stringContaining('--pool needs --name')])
  })

  test('help and version succeed, no command at all fails', async () => {
    expect(await run(['--version'])).toEqual({ exit: 0, stdout: `${version}\n`, stderr: '' })
    expect(await run(['--help'])).toMatchObject({
      exit: 0,
      stderr: '',
      stdout: expect.stringContaining('ptun login'),
    })
    expect(await run(['tcp', '--help'])).toMatchObject({
      exit: 0,
      stdout: expect.stringContaining('--takeover'),
    })
    expect(await run([])).toMatchObject({
      exit: 2,
      stdout: '',
      stderr: expect.stringContaining('Usage: ptun'),
    })
  })

  test('a good configuration is reported as good', async () => {
    const { exit, stdout } = await run(['config', 'check', goodFile])
    expect({ exit, stdout }).toEqual({
      exit: 0,
      stdout: `${goodFile} is fine: 1 tunnel\n  web  http  ->  localhost:3000\n`,
    })
  })

  test('it warns of an unencrypted key over the network', async () => {
    const { stderr } = await run(['list', '--server', 'http://192.0.2.1.invalid'], { PTUN_KEY: key })
    expect(stderr).toContain('is not encrypted')
    expect((await run(['list'], { PTUN_KEY: key })).stderr).not.toContain('is not encrypted')
  })
})

/** ptun as a separate process; resolves when `event` was reported. */
async function startAgent(event: string) {
  const args = [join(import.meta.dirname, 'ptun.js'), 'http', '3000', '--name', 'web', '--json']
  const child = spawn(process.execPath, args, { env: { ...env, PATH: process.env.PATH, PTUN_KEY: key } })
  const exited = once(child, 'exit')
  for await (const line of createInterface(child.stdout)) if (JSON.parse(line).event === event) break
  child.stdout.resume()
  return { child, exited }
}

describe('process', () => {
  test('a command whose output the system refuses fails, and one whose reader had enough does not', async () => {
    const ptun = `"${process.execPath}" "${join(import.meta.dirname, 'ptun.js')}" config schema`
    const exitOf = async (command: string) => {
      const child = spawn('bash', ['-c', command], { stdio: ['ignore', 'ignore', 'pipe'] })
      let said = ''
      child.stderr.on('data', (text) => {
        said += text
      })
      return [...(await once(child, 'close')), said]
    }
    const full = exitOf(`${ptun} > /dev/full`)
    const enough = exitOf(`${ptun} | head -c 1; exit "\${PIPESTATUS[0]}"`)
    expect(await full).toEqual([1, null, 'The output could not be written (ENOSPC).\n'])
    expect(await enough).toEqual([0, null, ''])
  })

  test('an agent starts without a server, is seen by status, refuses a double, and ends by SIGTERM with 0', async () => {
    const { child, exited } = await startAgent('server.lost')
    const status = await run(['status', '--json'], { PTUN_KEY: key })
    const [agent, error] = status.stdout.trim().split('\n')
    expect(JSON.parse(agent ?? '')).toMatchObject({
      event: 'agent',
      pid: child.pid,
      serverProblem: { code: 'PT-6030' },
      tunnels: [{ name: 'web', state: 'waiting' }],
    })
    expect(JSON.parse(error ?? '')).toMatchObject({ event: 'error', code: 'PT-6030' })
    expect(await run(['http', '3000', '--name', 'web'], { PTUN_KEY: key })).toMatchObject({
      exit: 5,
      stderr: expect.stringMatching(/^PT-6004/),
    })
    child.kill('SIGTERM')
    expect(await exited).toEqual([0, null])
    expect((await run(['status'], { PTUN_KEY: key })).stdout).toContain('No agent is running')
  })

  test('usage errors reach the shell', async () => {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'ptun.js'), 'nonsense'], {
      env: { ...env },
    })
    expect(await once(child, 'exit')).toEqual([2, null])
  })
})
