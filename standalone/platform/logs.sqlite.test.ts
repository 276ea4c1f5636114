import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LogLevel } from '@porttunneler/shared/base/log'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { describeLogs } from '@porttunneler/shared/testing/logs.contract'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LogIndex } from './logs.sqlite.ts'

let folder: string
let clock: FakeClock
let troubles: unknown[]
const opened: LogIndex[] = []
const mebibyte = 1024 * 1024
const dayMs = 24 * 3_600_000
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pt-index-'))
  clock = new FakeClock(Date.UTC(2026, 0, 31, 12))
  troubles = []
})
afterEach(() => {
  for (const one of opened.splice(0)) one.close()
  rmSync(folder, { recursive: true, force: true })
})

function open(changes: Partial<ConstructorParameters<typeof LogIndex>[0]> = {}): LogIndex {
  const onTrouble = (error: unknown) => void troubles.push(error)
  const index = new LogIndex({
    folder,
    clock,
    bytesMax: 64 * mebibyte,
    ageMaxMs: 14 * dayMs,
    onTrouble,
    ...changes,
  })
  opened.push(index)
  return index
}

const numbers: Readonly<Record<LogLevel, number>> = { debug: 20, info: 30, warn: 40, error: 50 }
const text = (message: string, more: object = {}) =>
  JSON.stringify({ level: 30, time: clock.now(), msg: message, ...more })
const take = (index: LogIndex, message: string, more?: object) =>
  index.take({ source: 'control' }, text(message, more))
const find = async (index: LogIndex, ...words: string[]) =>
  (await index.search({ words }, { limit: 1_000 })).lines.map(({ message }) => message)
const files = () => readdirSync(folder).filter((name) => name.endsWith('.db'))

describeLogs('SQLite', () => {
  const index = open()
  return {
    logs: index,
    write: ({ source, relay, at, level, message, fields }) =>
      index.take(
        { source, ...(relay !== undefined && { relay }) },
        JSON.stringify({ level: numbers[level], time: at, ...fields, msg: message }),
      ),
    close: () => index.close(),
  }
})

test('lines are written half a second later, and are there after a restart', async () => {
  const index = open()
  take(index, 'one')
  expect(files()).toEqual([])
  clock.advance(500)
  expect(files()).toEqual(['lines-000000.db'])
  index.close()
  expect(await find(open(), 'one')).toEqual(['one'])
  expect(statSync(join(folder, 'lines-000000.db')).mode & 0o777).toBe(0o600)
})

test('what nobody has written yet is found too', async () => {
  const index = open()
  take(index, 'fresh')
  expect(await find(index, 'fresh')).toEqual(['fresh'])
})

test('stays below its size, and keeps the newest', async () => {
  const bytesMax = 2 * mebibyte
  const index = open({ bytesMax })
  const padding = 'a word '.repeat(1_000)
  const count = 1_000
  for (let n = 0; n < count; n++) {
    take(index, `line ${n}`, { padding })
    if (n % 50 === 49) index.flush()
  }
  const sizes = readdirSync(folder).map((name) => statSync(join(folder, name)).size)
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(bytesMax * 1.5)
  expect(files().length).toBeGreaterThan(2)
  const found = await find(index, 'line')
  expect(found[0]).toBe(`line ${count - 1}`)
  expect(await find(index, '"line 0"')).toEqual([])
})

test('forgets a file when its newest line is too old', async () => {
  const index = open({ bytesMax: 8 * mebibyte })
  for (let n = 0; n < 250; n++) take(index, `old ${n}`, { padding: 'x '.repeat(2_500) })
  index.flush()
  take(index, 'begins another file')
  index.flush()
  expect(files()).toHaveLength(2)
  clock.advance(15 * dayMs)
  take(index, 'new')
  clock.advance(500)
  expect(files()).toHaveLength(1)
  expect(await find(index, 'old')).toEqual([])
  expect(await find(index, 'new')).toEqual(['new'])
})

test('a flood leaves lines out, and says how many', async () => {
  const index = open()
  for (let n = 0; n < 5_010; n++) take(index, `flood ${n}`)
  for (let turn = 0; turn < 40; turn++) clock.advance(500)
  expect(await find(index, 'flood')).toHaveLength(1_000)
  const { lines } = await index.search({ words: ['left', 'out'] }, { limit: 5 })
  expect(lines.map(({ level, fields }) => ({ level, fields }))).toEqual([
    { level: 'warn', fields: { linesLeftOut: 10 } },
  ])
})

test('a folder that takes no file costs lines, not the server; then it goes on, and says what it lost', async () => {
  const place = join(folder, 'not-a-folder')
  writeFileSync(place, '')
  const index = open({ folder: place })
  for (let n = 0; n < 20; n++) {
    take(index, `lost ${n}`)
    clock.advance(500)
  }
  expect(troubles).toHaveLength(1)
  expect(await find(index)).toEqual([])
  rmSync(place)
  take(index, 'kept')
  clock.advance(500)
  expect((await find(index, 'kept'))[0]).toBe('kept')
})

test('a damaged file goes, and a new one begins', async () => {
  writeFileSync(join(folder, 'lines-000000.db'), 'no database '.repeat(1_000))
  const index = open()
  take(index, 'one')
  clock.advance(500)
  clock.advance(500)
  expect(await find(index, 'one')).toEqual(['one'])
  expect(troubles).toHaveLength(1)
})

test('two servers write to it while one takes over from the other', async () => {
  const [before, after] = [open(), open()]
  take(before, 'from the old one')
  take(after, 'from the new one')
  before.flush()
  after.flush()
  take(before, 'last words')
  before.close()
  expect(await find(after, 'from')).toEqual(['from the new one', 'from the old one'])
  expect(await find(after, '"last words"')).toEqual(['last words'])
})

test('no secret is in its files, whoever logged it', async () => {
  const index = open()
  const secrets = {
    key: `pts_${'k'.repeat(43)}`,
    refresh: `ptr_${'r'.repeat(43)}`,
    token: `eyJ${'h'.repeat(20)}.${'p'.repeat(40)}.${'s'.repeat(40)}`,
    stripe: `sk_live_${'s'.repeat(24)}`,
    webhook: `whsec_${'w'.repeat(32)}`,
  }
  const pem = `-----BEGIN PRIVATE KEY-----\n${'M'.repeat(64)}\n-----END PRIVATE KEY-----\n`
  const lines = [
    ...Object.values(secrets).map((secret) => text(`it said ${secret} and more`)),
    text('nested', { error: { message: `Bearer ${'b'.repeat(30)}`, cause: { pem } } }),
    text('by name', { password: 'hunter22hunter22', headers: { cookie: 'sid=cookiecookie' } }),
    text('address', {
      url: 'smtps://user:passpasspass@mail.example.com',
      link: 'https://x/y?token=linklinklink',
    }),
    `Error: no JSON, ${secrets.key}`,
  ]
  for (const line of lines) index.take({ source: 'control' }, line)
  const { lines: found } = await index.search({ words: [] }, { limit: 100 })
  index.close()
  expect(found).toHaveLength(lines.length)
  const kept = readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), 'latin1'))
    .join('')
  const shown = JSON.stringify(found)
  const hidden = [
    'kkkk',
    'rrrr',
    'hhhh',
    'ssss',
    'wwww',
    'MMMM',
    'bbbb',
    'hunter22',
    'cookiecookie',
    'passpasspass',
    'linklinklink',
  ]
  for (const part of hidden)
    expect([part, kept.includes(part), shown.includes(part)]).toEqual([part, false, false])
})
