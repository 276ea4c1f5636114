import { expect, test } from 'vitest'
import { detailsText } from './audit-text.ts'
import { formatTime } from './format.ts'

test('audit: details are words, with times as times and lists as people write them', () => {
  const expiresAt = Date.UTC(2026, 11, 1)
  expect(detailsText({ name: 'laptop', scopes: ['read', 'tunnels'], expiresAt })).toBe(
    `name laptop, scopes read and tunnels, expires at ${formatTime(expiresAt)}`,
  )
  expect(detailsText({ count: 1_204, isMine: true })).toBe('count 1,204, is mine true')
  expect(detailsText({})).toBe('')
})
