import { fail } from '@porttunneler/shared/base/errors'
import { describe, expect, test } from 'vitest'
import { failureText, type Paint, welcome } from './output.ts'

const plain: Paint = (_style, text) => text
const report = { console: 'http://localhost:8400', api: 'http://localhost:8400', pid: 1 }
const facts = { report, dataFolder: 'data', isLoopback: true, isDefaultServer: true }

describe('what the terminal says after a start', () => {
  test('first start: account, password, both demo addresses and the next command', () => {
    const account = { email: 'admin@porttunneler.localhost', password: 'first-and-only' }
    const demo = { http: 'http://demo.localhost:8480', tcp: 'localhost:20001' }
    const text = welcome({ ...facts, report: { ...report, account, demo } }, plain)
    for (const part of [
      report.console,
      account.email,
      account.password,
      demo.http,
      demo.tcp,
      'nc localhost 20001',
    ])
      expect(text).toContain(part)
    expect(text).toContain('npx porttunneler login && npx porttunneler http 3000')
    expect(text).toContain('from this machine only')
  })

  test('later starts show no password, and an open server shows less', () => {
    const text = welcome({ ...facts, isLoopback: false }, plain)
    expect(text).not.toMatch(/password|this machine only/i)
  })

  test('the command names a server that ptun would not find by itself', () => {
    expect(welcome({ ...facts, isDefaultServer: false }, plain)).toContain(`login --server ${report.api} &&`)
  })

  test('it stays short', () => {
    expect(welcome({ ...facts, demoProblem: 'not up' }, plain).split('\n').length).toBeLessThan(16)
  })
})

test('a failure shows number, cause and cure', () => {
  const text = failureText(
    fail('standalone.port_taken', '127.0.0.1 port 8400: another program listens there.'),
    plain,
  )
  expect(text).toMatch(/^PT-5102 Port taken\n {2}127\.0\.0\.1 port 8400: .*\n {2}Cure: Stop that program/)
})
