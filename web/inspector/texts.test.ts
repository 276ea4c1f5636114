import { describe, expect, test } from 'vitest'
import { formPairs, hexRows, partsOf, prettyJson } from './body-text.ts'
import { headersIn, headerText } from './header-text.ts'
import { addressOf, placeOf } from './place.ts'
import { millisecondsText, statusLook, statusText } from './texts.ts'

describe('bodies', () => {
  test('JSON is indented, and what is none stays', () => {
    expect(prettyJson('{"a":[1]}')).toBe('{\n  "a": [\n    1\n  ]\n}')
    expect(prettyJson('{"a":')).toBe('{"a":')
  })

  test('forms and their parts are read', () => {
    expect(formPairs('a=1&b=two+words&a=%C3%A4')).toEqual([
      ['a', '1'],
      ['b', 'two words'],
      ['a', 'ä'],
    ])
    const head = 'Content-Disposition: form-data; '
    const body = `--X\r\n${head}name="a"\r\n\r\none\r\n--X\r\n${head}name="f"; filename="x.txt"\r\n\r\ntwo\r\n--X--\r\n`
    const parts = partsOf(body, 'multipart/form-data; boundary=x')
    expect(parts?.map(({ name, text }) => [name, text])).toEqual([
      ['a', 'one'],
      ['f: x.txt', 'two'],
    ])
    expect(partsOf('no boundary', 'multipart/form-data; boundary=x')).toBeUndefined()
    expect(partsOf('--X\r\n', 'text/plain')).toBeUndefined()
  })

  test('bytes are rows of sixteen', () => {
    expect(hexRows('48690a')).toBe(`000000  48 69 0a${' '.repeat(39)}  Hi.`)
    expect(hexRows('00'.repeat(17)).split('\n')).toHaveLength(2)
  })
})

describe('headers that people change', () => {
  test('come back as they were', () => {
    const lines = [
      ['Host', 'a'],
      ['X-Time', '10:30'],
      ['Empty', ''],
    ] as const
    expect(headersIn(headerText(lines))).toEqual(lines)
    expect(headersIn('\n no colon \n\n')).toEqual([['no colon', '']])
  })
})

describe('places', () => {
  test.each(['/', '/requests/7', '/requests/7?status=4xx&path=%2Fa', '/connections', '/?tunnel=web'])(
    '%s is an address and back',
    (address) => {
      const { pathname, search } = new URL(address, 'http://a')
      expect(addressOf(placeOf({ pathname, search }))).toBe(address)
    },
  )

  test('unknown parts are left out', () => {
    expect(placeOf({ pathname: '/requests/x', search: '?evil=1' })).toEqual({
      view: 'requests',
      id: undefined,
      filter: {},
    })
  })
})

describe('figures', () => {
  test('times have the digits that matter', () => {
    expect([0.44, 12.4, 999, 1_340].map(millisecondsText)).toEqual(['0.4 ms', '12 ms', '999 ms', '1.3 s'])
  })

  test('a failure looks like one also where its status is 200', () => {
    expect(statusLook({ status: 200, failure: 'cut', ms: 1 })).toBe('text-danger')
    expect(statusLook({ status: 200, ms: 1 })).toBe('text-ok')
    expect([statusText({}), statusText({ ms: 1 }), statusText({ status: 204 })]).toEqual(['…', 'none', '204'])
  })
})
