/** A walk over all pages (testing/stops.ts) misses none: every route and every dialog has its place there. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ConsolePage, consolePages } from '@porttunneler/shared/base/console-pages'
import { expect, test } from 'vitest'
import { places } from './routes.ts'
import { dialogs, stops } from './testing/stops.ts'

const read = (file: string) => readFileSync(join(import.meta.dirname, file), 'utf8')

test('stops: every route has one, and each picture its own name', () => {
  const pageOf = (name: string) => consolePages[name as ConsolePage]
  const app = [
    ...read('app.tsx').matchAll(
      /<Route path=\{`?(?:\$\{)?consolePages\.(\w+)\}?([^`}>]*)|path === consolePages\.(\w+)/g,
    ),
  ].map(([, route = '', more = '', gate]) => (gate === undefined ? `${pageOf(route)}${more}` : pageOf(gate)))
  const routes = new Set([...places.map(({ path }) => path), ...app])
  expect(routes.size).toBeGreaterThan(30)
  const reached = new Set(stops.map(({ route }) => route))
  expect([...routes].filter((route) => !reached.has(route ?? ''))).toEqual([])
  expect(new Set(stops.map(({ name }) => name)).size).toBe(stops.length)
})

test('stops: every file that opens a dialog says which titles it has, or why nobody gets there', () => {
  const files = globSync('{pages,parts}/*.tsx', { cwd: import.meta.dirname })
    .filter((file) => /<(?:Confirm|Reason)?Dialog\s+title=|<(?:Confirm|Reason)?Dialog\n/.test(read(file)))
    .filter((file) => file !== 'parts/dialog.tsx')
  expect(Object.keys(dialogs).toSorted()).toEqual(files.toSorted())
})
