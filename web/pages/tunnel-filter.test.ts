/** The list's filter in the address. */
import { expect, test } from 'vitest'
import { type Filter, readFilter, wishOf, writeFilter } from './tunnel-filter.tsx'

const usual: Filter = { search: '', state: '', kind: '', tag: '', sort: 'trouble', isUnfolded: false }

test('a filter in the address: what was written is read again, and what is as usual is not written', () => {
  expect(writeFilter(usual)).toBe('')
  expect(readFilter('')).toEqual(usual)
  const filter: Filter = {
    search: 'a b&c',
    state: 'trouble',
    kind: 'tls',
    tag: 'team:web',
    sort: 'name',
    isUnfolded: true,
  }
  expect(readFilter(writeFilter(filter))).toEqual(filter)
})

test('a filter in the address: what somebody made up counts for nothing', () => {
  expect(readFilter('?state=toString&kind=__proto__&sort=constructor&all=1')).toEqual(usual)
  expect(readFilter(`?search=${'x'.repeat(500)}`).search).toHaveLength(100)
})

test('a filter in the address: "needs a look" asks for all states of trouble', () => {
  expect(wishOf({ ...usual, state: 'trouble', search: '  db ' })).toEqual({
    sort: 'trouble',
    search: 'db',
    state: ['upstream_failing', 'refused', 'degraded'],
  })
})
