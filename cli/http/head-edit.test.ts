import { describe, expect, test } from 'vitest'
import { HeadEdit } from './head-edit.ts'

const editOf = (...lines: readonly string[]) =>
  new HeadEdit(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'))
const linesOf = (edit: HeadEdit) => edit.toBuffer().toString('latin1').split('\r\n').slice(0, -2)

const lines = [
  'GET /%e4|x HTTP/1.1',
  'authorization: Basic a',
  'HoSt:  a.test \t',
  'Cookie: \xe4',
  'X: ',
  'AUTHORIZATION:  Bearer b',
  'Proxy-Authorization: c',
]

describe('editing a head', () => {
  test('without a change the very bytes are sent on, also after a change that changes nothing', () => {
    const bytes = Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    const edit = new HeadEdit(bytes)
    edit.remove('x')
    edit.replace('host', (value) => value)
    expect(edit.toBuffer()).toBe(bytes)
  })

  test('what is not changed stays byte for byte, in its place', () => {
    const edit = editOf(...lines)
    edit.startLine = 'PUT / HTTP/1.1'
    edit.replace('x', () => 'y')
    edit.add('Z', 'last')
    expect(linesOf(edit)).toEqual([
      'PUT / HTTP/1.1',
      lines[1],
      'HoSt:  a.test \t',
      'Cookie: \xe4',
      'X: y',
      ...lines.slice(5),
      'Z: last',
    ])
  })

  test('every field of a name is found and removed, in any case, and no other', () => {
    const edit = editOf(...lines)
    expect(edit.values('authorization')).toEqual(['Basic a', 'Bearer b'])
    edit.remove('Authorization')
    expect(edit.values('authorization')).toEqual([])
    expect(linesOf(edit)).toEqual([lines[0], ...lines.slice(2, 5), lines[6]])
  })

  test('a name that CGI could take for it is removed with it', () => {
    const edit = editOf('GET / HTTP/1.1', 'X_User: mallory', 'X-USER: mallory', 'X-Users: m')
    edit.add('X_USER', 'bob')
    edit.remove('x-user')
    edit.add('X-User', 'alice')
    expect(linesOf(edit).slice(1)).toEqual(['X-Users: m', 'X-User: alice'])
  })

  test('stages see what stages before them changed', () => {
    const edit = editOf('GET / HTTP/1.1', 'A: 1')
    edit.startLine = 'GET /x HTTP/1.1'
    edit.replace('a', (value) => `${value}2`)
    edit.replace('a', (value) => `${value}3`)
    expect(edit.startLine).toBe('GET /x HTTP/1.1')
    expect(edit.values('a')).toEqual(['123'])
  })
})
