import { expect, test } from 'vitest'
import { csvOf, fileOf } from './audit-file.ts'

const entry = {
  id: 'aud_1',
  at: 0,
  actor: 'usr_1',
  action: 'key.created',
  target: 'key_1',
  from: '192.0.2.1',
  userAgent: '=HYPERLINK("https://example.com","x")',
  details: { name: 'a, "b"\nc' },
  seal: 3,
}

test('audit file: cells are quoted as CSV wants it, and none begins like a formula', () => {
  const [head, row] = csvOf([entry]).split('\r\n')
  expect(head).toBe('time,action,who,what,address,program,details,seal,id')
  expect(row).toBe(
    '1970-01-01T00:00:00.000Z,key.created,usr_1,key_1,192.0.2.1,"\'=HYPERLINK(""https://example.com"",""x"")","{""name"":""a, \\""b\\""\\nc""}",3,aud_1',
  )
})

test('audit file: JSON has the entries as they are', async () => {
  expect(JSON.parse(await fileOf([entry], 'json').text())).toEqual([entry])
})
