/** Keys are found by their id or their name. */
import type { Key } from '@porttunneler/shared/api/schemas/accounts'
import { expect, test } from 'vitest'
import { findKey } from './keys.ts'

const key = (id: string, name: string) => ({ id, name }) as Key
const keys = [key('key_1', 'laptop'), key('key_2', 'ci'), key('key_3', 'ci')]

test('by id or by name', () => {
  expect(findKey(keys, 'key_2').id).toBe('key_2')
  expect(findKey(keys, 'laptop').id).toBe('key_1')
})

test.each([
  ['ci', 'cli.usage', '2 keys are called "ci". Name one by its id, as "ptun keys list" shows it.'],
  ['laptpo', 'api.not_found', 'There is no key "laptpo"; did you mean "laptop"?'],
  ['nope', 'api.not_found', 'There is no key "nope".'],
])('%s is refused in words', (text, refusal, detail) => {
  expect(() => findKey(keys, text)).toThrow(expect.objectContaining({ key: refusal, detail }))
})
