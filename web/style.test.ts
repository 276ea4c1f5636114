/** The colours of the style sheet: text can be read, and the lines of a chart can be told apart, in both themes. */
import { readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contrastOf, distanceOf, type Sight } from './testing/colours.ts'

const sheet = readFileSync(join(import.meta.dirname, 'style.css'), 'utf8')
const [light, dark] = ['light', 'dark'].map(
  (_theme, at) =>
    new Map(
      [...sheet.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)/g)].map((found) => [
        found[1] ?? '',
        found[2 + at] ?? '',
      ]),
    ),
)
const themes = [
  ['light', light],
  ['dark', dark],
] as const

/** Text needs 4.5 (WCAG 2.2, 1.4.3). */
const texts = [
  ['text', ['ground', 'surface', 'raised']],
  ['muted', ['ground', 'surface', 'raised']],
  ['accent', ['ground', 'surface']],
  ['on-accent', ['accent', 'accent-strong']],
  ['ok', ['surface', 'ok-soft']],
  ['warn', ['surface', 'warn-soft']],
  ['danger', ['surface', 'danger-soft']],
] as const

describe.each(themes)('colours: %s', (_theme, colours) => {
  const of = (name: string) => {
    const colour = colours?.get(name)
    if (!colour) throw new Error(`style.css has no ${name}`)
    return colour
  }
  const chart = [1, 2, 3, 4, 5, 6].map((index) => of(`chart-${index}`))

  test.each(texts)('%s is read on its grounds', (text, grounds) => {
    for (const ground of grounds)
      expect(contrastOf(of(text), of(ground)), `${text} on ${ground}`).toBeGreaterThanOrEqual(4.5)
  })

  // Shapes that carry meaning need 3 (WCAG 2.2, 1.4.11).
  test('fields and lines of charts stand out from their ground', () => {
    for (const shape of [of('edge'), ...chart])
      expect(contrastOf(shape, of('surface')), shape).toBeGreaterThanOrEqual(3)
  })

  test.each<Sight>(['full', 'protanopia', 'deuteranopia'])(
    'no two lines of a chart look alike: sight %s',
    (sight) => {
      for (const [at, one] of chart.entries())
        for (const other of chart.slice(at + 1))
          expect(distanceOf(one, other, sight), `${one} and ${other}`).toBeGreaterThanOrEqual(0.09)
    },
  )
})

test('colours: the simulated eye tells red from green, or not, as people do', () => {
  expect(distanceOf('#c02020', '#706000', 'full')).toBeGreaterThan(0.12)
  expect(distanceOf('#b04040', '#6a6a2c', 'deuteranopia')).toBeLessThan(0.09)
  expect(contrastOf('#000000', '#ffffff')).toBeCloseTo(21)
})

test('the font of the console is at most 35 kB', () => {
  const file = /@fontsource[^"]+woff2/.exec(sheet)?.[0] ?? ''
  const { size } = statSync(createRequire(import.meta.url).resolve(file))
  expect(size).toBeLessThanOrEqual(35_000)
})
