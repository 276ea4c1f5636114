/** An old Node can read the file that starts ptun, so that it says what ptun needs instead of failing on its syntax. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'acorn'
import { expect, test } from 'vitest'
import manifest from './package.json' with { type: 'json' }

const text = readFileSync(join(import.meta.dirname, 'ptun.js'), 'utf8')

test('Node 14.0 can read the file: its syntax, and the names of the modules that it imports', () => {
  // Node 14.0 knows ES2020: https://node.green
  const { body } = parse(text, { ecmaVersion: 2020, sourceType: 'module', allowHashBang: true })
  const imported = body.flatMap((node) => (node.type === 'ImportDeclaration' ? [node.source.value] : []))
  expect(imported.length).toBeGreaterThan(0)
  for (const name of imported) expect(name).toMatch(/^[a-z]+$/)
})

test('it says in one line which version is wanted, the one of the package', () => {
  const [, wanted] = /^var wanted = (\d+)$/m.exec(text) ?? []
  expect(manifest.engines.node).toBe(`>=${wanted}`)
  const [message = ''] = /write\([\s\S]*?,\n {2}\)/.exec(text) ?? []
  expect(message.match(/\\n/g)).toHaveLength(1)
})
