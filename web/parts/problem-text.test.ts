import { expect, test } from 'vitest'
import { issueText, placeText, waitText } from './problem-text.ts'

test.each([
  ['policy.allow.0', 'allow, entry 1'],
  ['policy.requestsPerMinute', 'requests per minute'],
  ['name', 'name'],
  ['tags.11', 'tags, entry 12'],
  ['', ''],
  ['0', 'entry 1'],
])('the place %j is told as %j', (path, text) => {
  expect(placeText(path)).toBe(text)
})

test('a refused field is told without a pattern', () => {
  expect(issueText({ path: 'policy.deny.1', message: 'an address or a network' })).toBe(
    'deny, entry 2: an address or a network',
  )
  expect(issueText({ path: 'name', message: 'Invalid string: must match pattern /^[a-z]+$/' })).toBe(
    'name is not written as it must be',
  )
  expect(issueText({ path: '', message: 'Nothing is named.' })).toBe('Nothing is named.')
})

test.each([
  [1, 'in a second'],
  [42, 'in 42 seconds'],
  [119, 'in 119 seconds'],
  [121, 'in 3 minutes'],
  [7_200, 'in 2 hours'],
])('%i s of waiting are told as %s', (seconds, text) => {
  expect(waitText(seconds)).toBe(text)
})
