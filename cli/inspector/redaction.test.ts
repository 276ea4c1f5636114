import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  hiddenText,
  redactedHeaders,
  redactedParameters,
  redactLine,
  redactTarget,
  revealLines,
  revealTarget,
} from './redaction.ts'

const secret = fc.string({ unit: fc.constantFrom(...'abcXYZ0189-_.~'), minLength: 12, maxLength: 20 })
const anyCase = (text: string) =>
  fc
    .array(fc.boolean(), { minLength: text.length, maxLength: text.length })
    .map((ups) => [...text].map((letter, at) => (ups[at] ? letter.toUpperCase() : letter)).join(''))

describe('redaction', () => {
  test('no listed header shows its value, in any case of its name, with _ for - too', () => {
    const name = fc.constantFrom(...redactedHeaders).chain(anyCase)
    fc.assert(
      fc.property(name, secret, fc.boolean(), (header, value, underscored) => {
        const sent = underscored ? header.replaceAll('-', '_') : header
        for (const whole of [value, `Bearer ${value}`, `a=${value}; b=${value}; Path=/x`])
          expect(
            redactLine([sent, header.toLowerCase() === 'set-cookie' ? `a=${value}` : whole])[1],
          ).not.toContain(value)
      }),
    )
  })

  test('no listed parameter shows its value, escaped or not, in a path, a referrer or a redirect', () => {
    const name = fc.constantFrom(...redactedParameters).chain(anyCase)
    fc.assert(
      fc.property(name, secret, fc.boolean(), (parameter, value, isEscaped) => {
        const sent = isEscaped ? `%${parameter.charCodeAt(0).toString(16)}${parameter.slice(1)}` : parameter
        const target = `/a?x=1&${sent}=${value}&y=2#${'part'}`
        expect(redactTarget(target)).toBe(`/a?x=1&${sent}=${hiddenText}&y=2#part`)
        expect(redactLine(['Location', `https://b.test${target}`])[1]).not.toContain(value)
        expect(revealTarget(redactTarget(target), target)).toEqual({ target, count: 1 })
      }),
    )
  })

  test('what is not listed stays as it is', () => {
    for (const line of [
      ['Accept', 'a/b'],
      ['X-Hub-Signature-256', 'sha256=abc'],
      ['Stripe-Signature', 't=1,v1=a'],
    ] as const)
      expect(redactLine(line)).toEqual(line)
    for (const target of ['/a?x=1', '/token', '/?monkey=1', '/?token', '/?token=', '*'])
      expect(redactTarget(target)).toBe(target)
  })

  test('hidden lines that were not touched get their values back, each its own', () => {
    const raw = [
      ['Cookie', 'a=1; b=2'],
      ['X-Api-Key', 'one'],
      ['x-api-key', 'two'],
      ['Accept', 'x'],
    ] as const
    const shown = raw.map(redactLine)
    expect(revealLines(shown, raw)).toEqual({ lines: raw, count: 3 })
    expect(revealLines([['X-Api-Key', hiddenText]], raw).lines).toEqual([['X-Api-Key', 'one']])
    expect(revealLines([['X-Other', hiddenText]], raw)).toEqual({
      lines: [['X-Other', hiddenText]],
      count: 0,
    })
  })
})
