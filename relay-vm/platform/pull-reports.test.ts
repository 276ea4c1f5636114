import { type Log, silentLog } from '@porttunneler/shared/base/log'
import { expect, test } from 'vitest'
import { pullReports } from './pull-reports.ts'

test('pull: a missing subscription is logged also after network trouble, each trouble once, and its end', () => {
  const said: unknown[] = []
  const note = (fields: object, text: string) => said.push('code' in fields ? fields.code : text)
  const log: Log = { ...silentLog, error: note as Log['error'], info: note as Log['info'] }
  const { onLost, onFound } = pullReports(log)
  const lost = (isGone: boolean, failures: number) => void onLost({ isGone, failures, error: new Error('x') })
  lost(false, 1)
  expect(said).toEqual([])
  lost(false, 3)
  lost(true, 4)
  lost(true, 5)
  lost(false, 6)
  expect(said).toEqual(['PT-5006', 'PT-5221'])
  onFound?.()
  onFound?.()
  lost(true, 1)
  expect(said.slice(2)).toEqual(['Commands are heard at once again', 'PT-5221'])
})
