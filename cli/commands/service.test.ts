/** `ptun service`: what it writes and runs, and what it refuses; systemd itself checks the units where it is. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import type { Context } from '../context.ts'
import { storeCredential } from '../credentials.ts'
import type { Ran } from '../service/init-systems.ts'
import { launchdAgent, ownMark, type ServicePlan, systemdUnit } from '../service/units.ts'
import { installService, removeService, serviceStatus } from './service.ts'

const root = mkdtempSync(join(tmpdir(), 'ptun service-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const server = 'http://server.test'
const key = `pts_${'k'.repeat(43)}`
let home: string
let config: string
beforeEach(() => {
  home = mkdtempSync(join(root, 'home-'))
  config = join(home, 'ptun.yaml')
  writeFileSync(config, 'version: 1\ntunnels:\n  web: {kind: http, upstream: 3000}\n')
})

async function signIn(): Promise<void> {
  await storeCredential({ HOME: home }, server, {
    key,
    keyId: 'key_1',
    account: 'acc_1',
    accountName: 'Lab',
    savedAt: 0,
  })
}

function stage({
  env = {},
  ran = {},
  uid = 1_000,
  platform = 'linux',
  program = join(home, 'ptun.js'),
}: {
  env?: Record<string, string>
  ran?: Partial<Ran>
  uid?: number
  platform?: NodeJS.Platform
  program?: string
} = {}) {
  mkdirSync(join(program, '..'), { recursive: true })
  writeFileSync(program, '')
  const written = { stdout: '', stderr: '' }
  const to = (name: 'stdout' | 'stderr') => ({
    write: (text: string) => {
      written[name] += text
    },
  })
  const context: Context = {
    env: { HOME: home, PTUN_SERVER: server, ...env },
    stdout: to('stdout'),
    stderr: to('stderr'),
    clock: new FakeClock(),
    random: () => 0,
    isJson: false,
    isVerbose: false,
  }
  const commands: string[] = []
  const run = async (words: readonly string[]) => {
    commands.push(words.join(' '))
    const stdout = words.includes('show')
      ? 'ActiveState=active\nSubState=running\nUnitFileState=enabled\nExecMainStatus=0\n'
      : ''
    return { code: 0, stdout, stderr: '', ...ran }
  }
  return { context, written, commands, machine: { platform, uid, program, run } }
}

const unitPath = () => join(home, '.config/systemd/user/ptun.service')

describe('ptun service install', () => {
  test('writes a unit without a secret, and starts it now and with the session', async () => {
    await signIn()
    const { context, written, commands, machine } = stage({ env: { HTTPS_PROXY: 'http://u:geheim@proxy:1' } })
    expect(await installService(context, { config }, machine)).toBe(0)
    const unit = readFileSync(unitPath(), 'utf8')
    expect(unit).toContain(`start --config "${config}" --server ${server}`)
    expect(unit).not.toContain(key)
    expect(unit).not.toContain('geheim')
    expect(commands).toEqual([
      'systemctl --user daemon-reload',
      'systemctl --user enable ptun.service',
      'systemctl --user restart ptun.service',
      expect.stringContaining('systemctl --user show ptun.service'),
    ])
    expect(written.stdout).toContain('active (running), enabled')
    expect(written.stdout).toContain('enable-linger')
    expect(written.stderr).toContain('HTTPS_PROXY')
    expect(written.stderr).not.toContain('geheim')
  })

  test.each([
    ['nobody is signed in', {}, {}, 'service.key', /ptun has no key: run "ptun login/],
    [
      'the key is in the environment alone',
      { env: { PTUN_KEY: key } },
      {},
      'service.key',
      /PTUN_KEY is set here/,
    ],
    ['Windows', { platform: 'win32' as const }, {}, 'service.system', /schtasks/],
    ['a system without a init', { platform: 'freebsd' as const }, {}, 'service.system', /freebsd/],
    ['root without --system', { uid: 0 }, {}, 'service.unfit', /--system --run-as/],
    ['--system without root', {}, { system: true, runAs: 'ann' }, 'service.unfit', /use sudo/],
    ['--system for nobody', { uid: 0 }, { system: true }, 'service.unfit', /--run-as <user>/],
    [
      'a line break in a name',
      { uid: 0 },
      { system: true, runAs: 'a\nExecStartPre=x' },
      'service.unfit',
      /control/,
    ],
  ])('is refused: %s', async (why, surroundings, options, refusal, text) => {
    if (!/key|signed/.test(why)) await signIn()
    const { context, machine, commands } = stage(surroundings)
    const done = installService(context, { config, ...options }, machine)
    await expect(done).rejects.toMatchObject({ key: refusal, detail: expect.stringMatching(text) })
    expect(commands).toEqual([])
    expect(existsSync(unitPath())).toBe(false)
  })

  test('a program in the cache of npx would vanish', async () => {
    await signIn()
    const program = join(home, '.npm/_npx/1a2b/node_modules/porttunneler/ptun.js')
    const { context, machine } = stage({ program })
    await expect(installService(context, { config }, machine)).rejects.toMatchObject({
      detail: expect.stringContaining('npm install -g'),
    })
  })

  test('a ptun.yaml that needs a variable of this shell is refused by its line', async () => {
    await signIn()
    writeFileSync(config, 'version: 1\ntunnels:\n  web: {kind: http, upstream: "$' + '{PORT}"}\n')
    const { context, machine } = stage({ env: { PORT: '3000' } })
    await expect(installService(context, { config }, machine)).rejects.toMatchObject({
      key: 'config.invalid',
    })
  })

  test('a file that somebody else wrote is neither replaced nor removed', async () => {
    await signIn()
    mkdirSync(join(unitPath(), '..'), { recursive: true })
    writeFileSync(unitPath(), '[Service]\nExecStart=/bin/true\n')
    const { context, machine } = stage()
    for (const act of [installService, removeService])
      await expect(act(context, { config }, machine)).rejects.toMatchObject({ key: 'service.unfit' })
    expect(readFileSync(unitPath(), 'utf8')).toContain('/bin/true')
  })

  test('what systemctl says is told with its code', async () => {
    await signIn()
    const { context, machine } = stage({ ran: { code: 1, stderr: 'Failed to connect to bus\u001b[2J' } })
    await expect(installService(context, { config }, machine)).rejects.toMatchObject({
      key: 'service.refused',
      detail: '"systemctl --user daemon-reload" failed: Failed to connect to bus',
    })
  })

  test('--print writes and starts nothing', async () => {
    await signIn()
    const { context, machine, written, commands } = stage()
    expect(await installService(context, { config, print: true }, machine)).toBe(0)
    expect(written.stdout).toContain('[Service]')
    expect({ commands, isThere: existsSync(unitPath()) }).toEqual({ commands: [], isThere: false })
  })
})

test('status and remove: what runs is told, and removed is removed', async () => {
  await signIn()
  const { context, machine, written, commands } = stage()
  expect(await serviceStatus(context, {}, machine)).toBe(1)
  expect(written.stdout).toContain('not installed')
  await installService(context, { config }, machine)
  expect(await serviceStatus(context, {}, machine)).toBe(0)
  commands.length = 0
  expect(await removeService(context, {}, machine)).toBe(0)
  expect(commands).toEqual([
    'systemctl --user disable --now ptun.service',
    'systemctl --user reset-failed ptun.service',
    'systemctl --user daemon-reload',
  ])
  expect(existsSync(unitPath())).toBe(false)
  await expect(removeService(context, {}, machine)).rejects.toMatchObject({ key: 'service.unfit' })
})

describe('the files', () => {
  const plan = (): ServicePlan => ({
    node: process.execPath,
    program: join(home, 'a "b" $HOME %n \\ & <c>.js'),
    config,
    folder: home,
    server,
    account: 'Lab & Co',
  })
  const hasAnalyze = spawnSync('systemd-analyze', ['--version']).status === 0

  test.runIf(hasAnalyze)('systemd takes the units, whatever is in the paths', () => {
    for (const runAs of [undefined, 'root']) {
      const path = join(home, 'ptun.service')
      writeFileSync(path, systemdUnit({ ...plan(), runAs }))
      const mode = runAs === undefined ? '--user' : '--system'
      const { status, stderr } = spawnSync('systemd-analyze', [mode, '--man=no', 'verify', path], {
        encoding: 'utf8',
        env: { ...process.env, XDG_RUNTIME_DIR: home },
      })
      // It also reads the units that ours needs, and where systemd does not run it says so.
      const ours = stderr.split('\n').filter((line) => line.includes('ptun.service'))
      expect({ status, ours }).toEqual({ status: 0, ours: [] })
    }
  })

  test('no word of a path becomes a setting, a variable or a specifier', () => {
    const unit = systemdUnit(plan())
    expect(unit).toContain('a \\"b\\" $$HOME %%n \\\\ & <c>.js" start')
    expect(unit.split('\n').filter((line) => line.startsWith('ExecStart='))).toHaveLength(1)
  })

  test('the agent of launchd is well-formed, and its words come back as they were', () => {
    const text = launchdAgent(plan(), join(home, 'ptun.log'))
    const open: string[] = []
    for (const [, isEnd, name = '', isEmpty] of text.matchAll(/<(\/)?([a-z]+)[^<>]*?(\/)?>/g)) {
      if (isEnd) expect(open.pop()).toBe(name)
      else if (!isEmpty) open.push(name)
    }
    expect(open).toEqual([])
    const words = [...text.matchAll(/^ {4}<string>(.*)<\/string>$/gm)].map(([, word = '']) =>
      word.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&'),
    )
    const { node, program } = plan()
    expect(words).toEqual([
      node,
      program,
      'start',
      '--config',
      config,
      '--server',
      server,
      '--account',
      'Lab & Co',
      // The only variable: launchd would start an agent again that somebody stopped.
      'wait',
    ])
    expect(text).toContain('<key>PTUN_WHEN_STOPPED</key>')
    expect(text).toContain(ownMark)
  })
})
