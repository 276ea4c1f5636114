import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLog } from '@porttunneler/shared/base/log'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { expectFailure } from '@porttunneler/shared/testing/store.contract'
import { afterAll, expect, test } from 'vitest'
import { mailFilesMax, openLogMail } from './mail.log.ts'

const root = mkdtempSync(join(tmpdir(), 'ptun-mail-'))
afterAll(() => rmSync(root, { recursive: true }))

test('mail: each message is a file that only the operator can read; the log has only the file’s name', async () => {
  const folder = join(root, 'one')
  const logged: unknown[] = []
  const log = { ...silentLog, info: (...said: unknown[]) => logged.push(said) }
  await openLogMail({ folder, clock: new FakeClock(), log }).send({
    to: 'ada@example.com\nBcc: eve@example.com',
    subject: 'Hello',
    text: 'https://console.example.com/reset#ptw_secret',
    id: 'mail.send:1:1',
  })
  const [name = ''] = readdirSync(folder)
  const file = join(folder, name)
  expect(statSync(folder).mode & 0o777).toBe(0o700)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(readFileSync(file, 'utf8')).toContain('\n\nhttps://console.example.com/reset#ptw_secret\n')
  expect(readFileSync(file, 'utf8')).not.toContain('\nBcc')
  expect(JSON.stringify(logged)).toContain(name)
  expect(JSON.stringify(logged)).not.toContain('ptw_secret')
})

test('mail: strangers who request mails cannot fill the disk: the oldest are deleted', async () => {
  const folder = join(root, 'many')
  const clock = new FakeClock()
  const mail = openLogMail({ folder, clock, log: silentLog })
  await mail.send({ to: 'a@example.com', subject: 'first', text: '', id: '1' })
  for (let n = 0; n < mailFilesMax; n++)
    writeFileSync(join(folder, `3000-${String(n).padStart(5, '0')}.txt`), '')
  clock.advance(1_000)
  await mail.send({ to: 'a@example.com', subject: 'second', text: '', id: '1' })
  const left = readdirSync(folder)
  expect(left).toHaveLength(mailFilesMax)
  expect(left.every((name) => name.startsWith('3000'))).toBe(true)
})

test('mail: an unwritable folder fails with a code', async () => {
  writeFileSync(join(root, 'file'), '')
  const mail = openLogMail({ folder: join(root, 'file', 'mail'), clock: new FakeClock(), log: silentLog })
  await expectFailure(mail.send({ to: 'a', subject: 'b', text: 'c', id: '1' }), 'mail.failed')
})
