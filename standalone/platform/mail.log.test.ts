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

test('mail: what waits is listed and read, the newest first; another file is none, whatever its name', async () => {
  const folder = join(root, 'kept')
  const clock = new FakeClock()
  const mail = openLogMail({ folder, clock, log: silentLog })
  expect(await mail.kept?.list(10)).toEqual([])
  const message = {
    to: 'ada@example.com',
    subject: 'a "b"\nc',
    text: 'one\n\ntwo',
    html: '<p>one</p>',
    id: '1',
  }
  await mail.send(message)
  clock.advance(1_000)
  await mail.send({ ...message, subject: 'second' })
  writeFileSync(join(folder, 'secret.txt'), 'To: "x"')
  const list = (await mail.kept?.list(10)) ?? []
  expect(list.map(({ subject }) => subject)).toEqual(['second', 'a "b"\nc'])
  const { id = '', at } = list[1] ?? {}
  expect(at).toBe(clock.now() - 1_000)
  const { to, subject, html } = message
  expect(await mail.kept?.read(id)).toEqual({ id, at, to, subject, text: 'one\n\ntwo\n', html })
  for (const wrong of ['secret', '../kept/secret', `${id}/../${id}`, '', id.replace('-', '/')])
    expect(await mail.kept?.read(wrong)).toBeUndefined()
})

test('mail: an unwritable folder fails with a code', async () => {
  writeFileSync(join(root, 'file'), '')
  const mail = openLogMail({ folder: join(root, 'file', 'mail'), clock: new FakeClock(), log: silentLog })
  await expectFailure(mail.send({ to: 'a', subject: 'b', text: 'c', id: '1' }), 'mail.failed')
})
