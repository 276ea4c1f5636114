import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import os, { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { systemClock } from '@porttunneler/shared/base/clock'
import { openDataFolder } from '@porttunneler/standalone/data-folder'
import { openLogIndex } from '@porttunneler/standalone/program-logs'
import { openPlane } from '@porttunneler/standalone/testing/plane'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { run, tellFailure } from './main.ts'

let data: string
let account: string
beforeEach(async () => {
  data = mkdtempSync(join(tmpdir(), 'pt-ctl-'))
  const folder = openDataFolder(data)
  const plane = openPlane(folder)
  await plane.ensureFirstAccount('ada@example.com')
  await plane.close()
  folder.close()
  const [found] = await json('accounts', 'find', 'ada@example.com')
  account = found.id
})
afterEach(() => rmSync(data, { recursive: true, force: true }))

async function ctl(...args: string[]) {
  let out = ''
  let err = ''
  const stdout = { write: (text: string) => (out += text) }
  const stderr = { write: (text: string) => (err += text) }
  const code = await run(args, {
    stdout,
    stderr,
    env: { PORTTUNNELER_DATA: data, PTUNCTL_OPERATOR: 'grace' },
  })
  return { code, out, err }
}
// biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects
async function json(...args: string[]): Promise<any> {
  return JSON.parse((await ctl('--json', ...args)).out)
}

test.runIf(process.platform === 'linux')(
  'ptunctl: a result that could not be written is no success; a reader may have enough',
  () => {
    const script = join(import.meta.dirname, 'ptunctl.js')
    const inShell = (line: string) =>
      spawnSync('bash', ['-c', `set -o pipefail; "$0" "$1" ${line}`, process.execPath, script], {
        encoding: 'utf8',
      })
    const full = inShell('--help > /dev/full')
    expect([full.status, full.stderr]).toEqual([1, 'The output could not be written (ENOSPC).\n'])
    const closed = inShell('--help | true')
    expect([closed.status, closed.stderr]).toEqual([0, ''])
  },
)

test('ptunctl: a cell, a key for its relay, and an account suspended and resumed, from the command line', async () => {
  const made = await ctl(
    'cells',
    'create',
    'eu',
    '--host',
    'eu.example.com',
    '--domain',
    'eu.example.com',
    '--ports',
    '30000-30009',
  )
  expect(made).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^id {9}.*eu\n(.*\n)*ports .*30000-30009\n/),
  })
  expect((await json('enrolment', 'create', 'eu', '--hours', '2')).key).toMatch(/^pte_/)
  expect(await json('accounts', 'suspend', account, '--reason', 'a test')).toMatchObject({
    status: 'suspended',
  })
  expect((await ctl('accounts', 'resume', account)).out).toContain('active')
  expect(await json('accounts', 'override', account, 'keys', '3')).toMatchObject({ limits: { keys: 3 } })
  expect((await ctl('accounts', 'show', account)).out).toMatch(
    /limits:\n(.*\n)* {2}keys +3\n(.*\n)*members:\n.*email/,
  )
  expect((await ctl('jobs', 'dead')).out).toBe('None.\n')
})

test('ptunctl: the audit is listed, walked and compared with a log; an export is checked', async () => {
  const list = await ctl('audit', 'list', account, '--action', 'account.created', '--from', '2020-01-01')
  expect(list.out).toMatch(/account\.created/)
  expect(await ctl('audit', 'list', account, '--from', 'long ago')).toMatchObject({ code: 2 })
  await ctl('accounts', 'suspend', account, '--reason', 'a test')
  expect(await json('audit', 'list', account, '--actor', 'operator:grace')).toMatchObject([
    { action: 'account.suspended', details: { reason: 'a test' }, seal: 0 },
  ])
  expect(await json('audit', 'list', '--limit', '5')).toEqual(expect.any(Array))
  expect(await ctl('audit', 'verify')).toMatchObject({ code: 0, out: expect.stringMatching(/^seals +0$/m) })
  const noted = join(data, 'noted')
  writeFileSync(noted, `{"level":30,"msg":"other"}\n{"seal":3,"entries":1,"hash":"${'a'.repeat(64)}"}\n`)
  const cut = await ctl('audit', 'verify', '--noted', noted)
  expect(cut).toMatchObject({ code: 1, out: expect.stringContaining('seal 3 was noted') })
  const file = join(data, 'export.ndjson')
  writeFileSync(file, `${JSON.stringify({ account, from: 0, to: 1, entries: 0 })}\n`)
  expect(await ctl('audit', 'check', file)).toMatchObject({ code: 0 })
  writeFileSync(file, 'no export\n')
  expect(await json('audit', 'check', file)).toMatchObject({
    problems: ['line 1: it is not a line of an export', 'the end is missing: the file was cut'],
  })
  for (const bad of [
    ['check', join(data, 'none')],
    ['verify', '--noted', file],
  ])
    expect(await ctl('audit', ...bad)).toMatchObject({ code: 2, err: expect.stringContaining('PT-5302') })
})

test('ptunctl: failures show code, cause and cure, as text and as JSON', async () => {
  expect(await ctl('cells', 'close', 'none')).toEqual({
    code: 1,
    out: '',
    err: expect.stringMatching(/^PT-5303 There is no cell "none"\.\n {2}Look it up/),
  })
  const usage = await ctl('accounts', 'suspend', account)
  expect(usage).toMatchObject({ code: 2, err: expect.stringContaining('--reason') })
  expect(await json('accounts', 'plan', account, 'gold')).toMatchObject({ error: { code: 'PT-2703' } })
  expect(await ctl('cells', 'create', 'eu', '--ports', 'many')).toMatchObject({ code: 2 })
  expect(await ctl('--data', join(data, 'none'), 'cells', 'list')).toMatchObject({
    code: 2,
    err: expect.stringContaining('PT-5307'),
  })
})

test('ptunctl: an error that nobody foresaw has a code and a cure too, and what a report needs', async () => {
  let said = ''
  const stderr = { write: (text: string) => (said += text) }
  const stdout = {
    write() {
      throw new TypeError('no such\u001b[31m thing')
    },
  }
  const env = { PORTTUNNELER_DATA: data, PTUNCTL_OPERATOR: 'grace' }
  expect(await run(['cells', 'list'], { stdout, stderr, env })).toBe(1)
  expect(said).toMatch(/^PT-5309 .*\n {2}no such thing\n {2}Look whether it was done.*\n {2}at /)
  let json = ''
  const writers = { stdout: { write: (text: string) => (json += text) }, stderr: { write: () => true } }
  expect(tellFailure('a bare word', true, writers)).toBe(1)
  expect(JSON.parse(json)).toMatchObject({ error: { code: 'PT-5309' } })
})

test('ptunctl: how old the last backup is, only a running server says', async () => {
  expect(await ctl('backup', 'status')).toMatchObject({ code: 1, err: expect.stringMatching(/^PT-5408 /) })
})

test('ptunctl: a backup is written, checked, and restored into an empty folder', async () => {
  const [file, secret] = [join(data, '..', `${basename(data)}.backup`), join(data, 'passphrase')]
  writeFileSync(secret, 'correct horse\n')
  try {
    expect(await json('backup', 'create', file, '--passphrase-file', secret)).toMatchObject({
      encrypted: true,
    })
    expect((await ctl('backup', 'check', file, '--passphrase-file', secret)).out).toMatch(/^at +20\d\d-/m)
    expect(await ctl('backup', 'check', file)).toMatchObject({
      code: 2,
      err: expect.stringContaining('PT-5403'),
    })
    expect(await ctl('backup', 'restore', file, '--passphrase-file', secret)).toMatchObject({ code: 2 })
    const again = join(data, 'again')
    const { code } = await ctl('--data', again, 'backup', 'restore', file, '--passphrase-file', secret)
    expect(code).toBe(0)
    const found = await json('--data', again, 'accounts', 'find', 'ada@example.com')
    expect(found).toMatchObject([{ id: account }])
    expect(await json('--data', again, 'backup', 'settle', '2026-01-31T12:00Z')).toMatchObject({ leases: 0 })
  } finally {
    rmSync(file, { force: true })
  }
})

test('ptunctl: every verb has its help', async () => {
  const { code, out } = await ctl('--help')
  expect(code).toBe(0)
  for (const group of out.matchAll(/^ {2}(\w+) {2,}\w/gm)) {
    const help = await ctl(group[1] ?? '', '--help')
    expect(help).toMatchObject({ code: 0, out: expect.stringContaining('Usage: ptunctl') })
  }
})

test('ptunctl: a file that the system refuses is told with the cause and its own cure', async () => {
  const file = join(data, 'lock')
  for (const [path, words] of [
    [join(data, 'none'), '(ENOENT): it does not exist; check the path'],
    [data, '(EISDIR): it is a folder, and a file is needed'],
    [join(file, 'inside'), '(ENOTDIR): something else is in the way'],
    [join(data, 'x'.repeat(300)), '(ENAMETOOLONG): the path is too long'],
  ] as const) {
    const { err } = await ctl('audit', 'check', path)
    expect(err).toContain(`${path} cannot be read ${words}`)
    expect(err.split('\n'), 'the words of the system are not repeated').toHaveLength(3)
  }
})

test('ptunctl: a user without a name is asked for one', async () => {
  const spy = vi.spyOn(os, 'userInfo').mockImplementation(() => {
    throw Object.assign(new Error('no entry'), { code: 'ENOENT' })
  })
  syncBuiltinESMExports()
  try {
    let err = ''
    const io = { stdout: { write: () => {} }, stderr: { write: (text: string) => (err += text) } }
    expect(await run(['cells', 'list', '--data', data], { ...io, env: {} })).toBe(2)
    expect(err).toContain('say who you are with --as')
    expect(await run(['cells', 'list', '--data', data, '--as', 'grace'], { ...io, env: {} })).toBe(0)
  } finally {
    spy.mockRestore()
    syncBuiltinESMExports()
  }
})

test('logs finds lines on a folder without a server, as text and as JSON, and says what it does not understand', async () => {
  const index = openLogIndex({ data, settings: { megabytes: 64, days: 14 }, clock: systemClock }, () => {})
  const line = { level: 40, time: Date.UTC(2026, 0, 31), code: 'PT-5108', failures: 3, msg: 'Sync failed' }
  index?.take({ source: 'relay', relay: 'r1' }, JSON.stringify(line))
  index?.close()
  expect((await ctl('logs', 'sync', 'code:5108')).out).toBe(
    '2026-01-31 00:00:00.000 warn  relay r1  Sync failed  code=PT-5108 failures=3\n',
  )
  expect(await json('logs', 'search', 'relay:r1')).toMatchObject({ message: 'Sync failed', relay: 'r1' })
  expect(await ctl('logs', 'nothing', 'like', 'it')).toMatchObject({ code: 0, out: '' })
  expect(await ctl('logs', 'colour:red')).toMatchObject({ code: 2, err: expect.stringContaining('PT-2830') })
  const noted = await json('audit', 'list', '--action', 'logs.searched')
  expect(noted.map(({ actor }: { actor: string }) => actor)).toEqual(Array(3).fill('operator:grace'))
})
