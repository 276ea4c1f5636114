import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { consolePages } from '@porttunneler/shared/base/console-pages'
import { expect, test } from 'vitest'
import { crumbsOf, places } from './routes.ts'

test('routes: whatever the navigation does not have says what it lies below, and crumbs lead up to there', () => {
  const below = places.filter(({ group, path }) => group === undefined || path.includes(':'))
  expect(below.length).toBeGreaterThan(4)
  for (const place of below) {
    const crumbs = crumbsOf(place)
    expect(crumbs, place.path).not.toEqual([])
    expect(crumbs[0]?.group, place.path).toBeDefined()
  }
})

test('routes: a page of the navigation has no crumbs, and every address is there once', () => {
  for (const place of places) if (place.above === undefined) expect(crumbsOf(place), place.path).toEqual([])
  expect(new Set(places.map(({ path }) => path)).size).toBe(places.length)
})

test('routes: every page that a mail, a webhook or a refusal leads to is there', () => {
  const known = new Set(places.map(({ path }) => path))
  // Those outside the navigation are asked for in app.tsx, by the name that the links have.
  const app = readFileSync(join(import.meta.dirname, 'app.tsx'), 'utf8')
  const isRouted = (name: string) =>
    [
      `<Route path={consolePages.${name}}>`,
      `<Route path={\`\${consolePages.${name}}/:`,
      `path === consolePages.${name})`,
      `path === consolePages.${name} ||`,
    ].some((text) => app.includes(text))
  const missing = Object.entries(consolePages).filter(
    ([name, path]) => !known.has(path === '' ? '/' : path) && !isRouted(name),
  )
  expect(missing).toEqual([])
})
