import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { linkTo } from '../../base/console-pages.ts'
import { linkOf, pageOfMail } from './links.ts'
import { templateNames } from './templates.ts'

const root = join(import.meta.dirname, '../../..')
const place = { consoleUrl: 'https://tunnel.example.com' }

test('links: every mail has its page, and no other place makes an address of the console', () => {
  expect(Object.keys(pageOfMail).toSorted()).toEqual(templateNames.toSorted())
  const sources = ['shared', 'standalone', 'functions'].flatMap((folder) =>
    globSync(`${folder}/**/*.ts`, { cwd: root, exclude: ['**/node_modules/**', '**/*.test.ts'] }),
  )
  expect(sources.length).toBeGreaterThan(500)
  const own = ['shared/base/console-pages.ts', 'shared/control/mail/layout.ts']
  const makers = sources.filter((path) => /onsoleUrl\}[/?]/.test(readFileSync(join(root, path), 'utf8')))
  expect(makers.filter((path) => !own.includes(path))).toEqual([])
})

test('links: a token is encoded, and a page without one has no question mark', () => {
  expect(linkOf(place, 'factor-recovery', { token: 'a b&c' })).toBe(
    'https://tunnel.example.com/recover?token=a+b%26c',
  )
  expect(linkTo(place, 'alerts')).toBe('https://tunnel.example.com/alerts')
  expect(linkTo(place, 'home')).toBe('https://tunnel.example.com')
})
