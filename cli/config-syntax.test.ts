import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseConfig } from './config.ts'
import { excerptOf, withoutExcerpts } from './config-excerpt.ts'
import { sayYamlFault } from './config-syntax.ts'

const web = 'version: 1\ntunnels:\n  web:\n    kind: http\n'
const detailOf = (text: string): string => {
  try {
    parseConfig(text, 'ptun.yaml')
  } catch (error) {
    return (error as { detail: string }).detail
  }
  return ''
}
const first = (text: string) => detailOf(text).split('\n')[0]

/** How the library speaks, and ways of YAML's grammar that nobody knows who writes one file. */
const libraryWords =
  /mapping|sequence|scalar|implicit|compact|indicator|directive|\bflow\b|\btoken|unexpected|alias|anchor|resolve/i

describe('a file that is no YAML', () => {
  test.each([
    ['a tab', 'version: 1\ntunnels:\n\tweb:\n', '3:1 a tab indents this line: use spaces'],
    ['a tab behind spaces', 'version: 1\ntunnels:\n  \tweb: x\n', '3:3 a tab indents this line: use spaces'],
    [
      'no space behind a colon',
      `${web}    upstream:3000\n`,
      '5:14 a space is missing behind the colon: upstream: …',
    ],
    ['no space in the first line', `version:1\n${web.slice(11)}`, '1:9 a space is missing behind the colon'],
    ['no colon', `${web}    upstream\n`, '5:5 a colon is missing: a line says "key: value"'],
    [
      'no space behind a hyphen',
      'version: 1\nx:\n  -a\n  -b: c\n',
      '3:4 a space is missing behind the hyphen',
    ],
    ['a double quote', `${web}    upstream: "3000\n`, '5:15 this quote is not closed'],
    ['a single quote', `${web}    upstream: '3000\n    port: 1\n`, '5:15 this quote is not closed'],
    [
      "an apostrophe in 'quotes'",
      `${web}    tags: ['it's']\n`,
      "5:16 a comma is missing here; in 'quotes' a ' is",
    ],
    [
      'too far to the right',
      `${web}      upstream: 3000\n`,
      '5:7 this line is indented further than the one it',
    ],
    ['too far to the left', `${web}   upstream: 3000\n`, '5:4 this line is indented differently'],
    ['a key twice', `${web}    kind: tcp\n`, '5:5 "kind" is there twice, first in line 4: remove one'],
    [
      'two pairs in a line',
      'version: 1\ntunnels:\n  web: kind: http\n',
      '3:8 a second "key: value" in one line',
    ],
    ['an open brace', 'version: 1\ntunnels: {web: {kind: http}\n', '2:10 this { is not closed'],
    ['an open bracket', `${web}    tags: [a, b\n    upstream: 1\n`, '5:11 this [ is not closed'],
    ['a bracket too many', 'version: 1\ntunnels: }\n', '2:10 no bracket was opened that this } closes'],
    ['no comma', 'version: 1\ntunnels: {web: {kind: http upstream: 1}}\n', '2:23 a comma is missing'],
    [
      'a wildcard without quotes',
      `${web}    domain: *.a.test\n`,
      '5:13 * begins a reference to another place',
    ],
    ['a path of Windows', `${web}    upstreamCa: "C:\\ca.pem"\n`, '5:20 in double quotes a backslash begins'],
    ['a value that goes on', `${web}    upstream: "a" b\n`, '5:19 the value ended before this'],
    [
      'a sign that begins no value',
      `${web}    upstream: @x\n`,
      '5:15 no value begins with @: put quotes around it',
    ],
    ['two documents', 'version: 1\n---\nversion: 1\n', '2:1 --- begins another document'],
    [
      'a merge that was not finished',
      `<<<<<<< HEAD\n${web}`,
      '1:1 here two versions of the file were merged',
    ],
    ['no space before a comment', 'version: 1\ntunnels: {a: b}# c\n', '2:16 a space is missing before the #'],
  ])('%s is told with its place and its cure', (_what, text, said) => {
    expect(first(text)?.startsWith(`ptun.yaml:${said}`), first(text)).toBe(true)
    expect(withoutExcerpts(detailOf(text))).not.toMatch(libraryWords)
  })

  test('the line is shown with a mark below the place, and one fault is told once', () => {
    expect(detailOf('version: 1\r\ntunnels:\r\n  web: kind: http\r\n').split('\n').slice(1)).toEqual([
      '    3 |   web: kind: http',
      '      |        ^',
    ])
    // The library has two messages for this one.
    expect(detailOf(`${web}      upstream: 3000\n`).split('\n')).toHaveLength(3)
    const many = Array.from({ length: 20 }, (_, n) => `\tk${n}: 1\n`).join('')
    expect(withoutExcerpts(detailOf(`version: 1\ntunnels:\n${many}`)).split('\n')).toHaveLength(5)
  })

  test('whatever breaks a file, its place is in the file and the words are ours', () => {
    const whole = `${web}    upstream: 3000\n    tags: [a, "b"]\n    auth: ['x:y']\n  db: {kind: tcp, upstream: 5432}\n`
    const sign = fc.constantFrom(...'{}[]:,-"\'#&*!|>%@`?\t\n \\a'.split(''))
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length), sign), { minLength: 1, maxLength: 4 }),
        (changes) => {
          let text = whole
          for (const [at, one] of changes) text = text.slice(0, at) + one + text.slice(at)
          const fault = sayYamlFault(text)
          if (fault === undefined) return
          expect(fault).not.toMatch(libraryWords)
          const [, line = 0, column = 0] = /^line (\d+), column (\d+): \S/.exec(fault) ?? []
          const lines = text.split('\n')
          expect(Number(line)).toBeLessThanOrEqual(lines.length)
          expect(Number(column)).toBeLessThanOrEqual((lines[Number(line) - 1] ?? '').length + 1)
        },
      ),
    )
  })
})

describe('a line of the file in a message', () => {
  test.each([
    ['a login', 'auth:\n  - "alice:topsecret\n', 2],
    ['a later login', 'auth:\n  - a:b\n  - alice:topsecret: x\n', 3],
    ['the secret of webhooks', 'webhooks: {verify: github, secret: "topsecret}', 1],
    ['a secret with a colon', '    secret: topsecret: x', 1],
  ])('does not show %s', (_what, text, line) => {
    const shown = excerptOf(text, { line, column: 5 }).join('\n')
    expect(shown).not.toContain('topsecret')
    expect(shown).toContain('*********')
  })

  test('that is long is shown around the place, and wide letters move the mark', () => {
    const long = `${'x'.repeat(500)}: {${'y'.repeat(500)}`
    const [text = '', mark = ''] = excerptOf(long, { line: 1, column: 503 })
    expect(text.length).toBeLessThan(120)
    expect(text[mark.indexOf('^')]).toBe('{')
    expect(excerptOf('名: [', { line: 1, column: 4 })[1]).toBe('      |     ^')
  })
})
