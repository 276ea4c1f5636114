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
