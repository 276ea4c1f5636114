import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LogFile, sentenceOf } from './log-file.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pt-log-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('log file: never grows beyond its limit, and keeps earlier lines', () => {
  const path = join(folder, 'a.log')
  const file = new LogFile(path, 100)
  for (let line = 0; line < 50; line++) file.write(`line number ${line}`)
  file.close()
  const [now, before] = [readFileSync(path, 'utf8'), readFileSync(`${path}.1`, 'utf8')]
  expect(now.length).toBeLessThanOrEqual(100)
  expect(before.length).toBeLessThanOrEqual(100)
  expect(`${before}${now}`.trimEnd().endsWith('line number 48\nline number 49')).toBe(true)
})

test('log file: goes on where the last run ended', () => {
  const path = join(folder, 'a.log')
  for (const word of ['one', 'two\n']) {
    const file = new LogFile(path)
    file.write(word)
    file.close()
  }
  expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n')
})

test('log file: a failed write loses only that line', () => {
  const file = new LogFile('/dev/full')
  expect(() => file.write('lost')).not.toThrow()
  file.close()
})

test('log file: after a failed rotation it recovers, and never writes into another file', () => {
  const logs = join(folder, 'logs')
  const path = join(logs, 'a.log')
  mkdirSync(logs)
  const file = new LogFile(path, 20)
  file.write('first line')
  rmSync(logs, { recursive: true })
  // Rotating closes the old file and finds no folder for the new one.
  file.write('second line')
  // The system reuses the closed file's number.
  const other = openSync(join(folder, 'other'), 'w')
  file.write('third line')
  mkdirSync(logs)
  file.write('fourth line')
  file.close()
  closeSync(other)
  expect(readFileSync(join(folder, 'other'), 'utf8')).toBe('')
  expect(readFileSync(path, 'utf8')).toBe('{"level":40,"lost":2}\nfourth line\n')
})

test('log file: if it cannot be opened at the start, it is opened later', () => {
  const path = join(folder, 'later', 'a.log')
  const file = new LogFile(path)
  file.write('lost')
  mkdirSync(join(folder, 'later'))
  file.write('kept')
  file.close()
  file.write('after the end')
  expect(readFileSync(path, 'utf8')).toBe('{"level":40,"lost":1}\nkept\n')
})

describe('what the terminal shows of a log line', () => {
  test.each([
    ['{"level":30,"msg":"agent attached"}', undefined],
    ['{"level":40,"msg":"control plane away"}', 'control plane away'],
    ['{"level":50,"msg":"port taken","code":"PT-5001"}', 'port taken (PT-5001)'],
    ['    at main (file.ts:1:2)', '    at main (file.ts:1:2)'],
    ['', undefined],
    ['{"level":50,"msg":"a request failed","requestId":"1","code":"PT-2306"}', undefined],
    [
      '{"level":50,"msg":"a request failed","requestId":"1","method":"GET","path":"/v1/me","code":"PT-0007"}',
      'a request failed: GET /v1/me (PT-0007)',
    ],
  ])('%s', (line, expected) => {
    expect(sentenceOf(line)).toBe(expected)
  })
})
