import { expect, test } from 'vitest'
import { changedBetween, onTopOf, sortIssues } from './form-values.ts'

const values = { name: 'a', allow: '', tags: ['x'], httpsOnly: false }

test('form: a refusal goes to its field, whatever stands before it in the path, and without the field’s name', () => {
  const { fields, rest } = sortIssues(values, [
    { path: 'name', message: 'too long' },
    { path: 'policy.allow.1', message: 'an address or a network' },
    { path: 'scopes', message: 'at least one' },
  ])
  expect(fields).toEqual({ name: 'Too long', allow: 'Entry 2: an address or a network' })
  expect(rest).toEqual([{ path: 'scopes', message: 'at least one' }])
})

test('form: two refusals of one field are both said, and the same one only once', () => {
  const { fields } = sortIssues(values, [
    { path: 'allow.0', message: 'no address' },
    { path: 'allow.2', message: 'no address' },
    { path: 'allow.2', message: 'no address' },
  ])
  expect(fields.allow).toBe('Entry 1: no address. Entry 3: no address')
})

test('form: a pattern is never said at a field', () => {
  const issues = [{ path: 'name', message: 'Invalid string: must match pattern /^[a-z]+$/' }]
  expect(sortIssues(values, issues).fields.name).toBe('Is not written as it must be')
})

test('form: a field named like a part of every object takes no refusal', () => {
  expect(sortIssues(values, [{ path: 'constructor', message: 'no' }]).rest).toHaveLength(1)
})

test('form: what has changed is told by value, lists too', () => {
  expect(changedBetween(values, { ...values, tags: ['x'] })).toEqual([])
  expect(changedBetween(values, { ...values, tags: ['x', 'y'], name: 'b' })).toEqual(['name', 'tags'])
})

test('form: one’s own changes go on top of the other’s, and untouched fields keep the other’s', () => {
  const theirs = { ...values, name: 'theirs', allow: '192.0.2.1' }
  expect(onTopOf(theirs, values, { ...values, name: 'mine' })).toEqual({ ...theirs, name: 'mine' })
})
