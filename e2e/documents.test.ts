/** The examples of the documents work: examples are run, tables are compared with the code. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ptun } from './harness/agent.ts'
import { root, runProgram } from './harness/programs.ts'
import { temporaryFolder } from './harness/standalone.ts'

const document = (path: string) => readFileSync(join(root, path), 'utf8')

test('documents: the ptun.yaml of the README is valid', async () => {
  const [, yaml = ''] = /```yaml\n(# ptun\.yaml\n[\s\S]*?)```/.exec(document('README.md')) ?? []
  const folder = temporaryFolder('readme')
  writeFileSync(join(folder, 'ptun.yaml'), yaml)
  const { exit, stderr } = await runProgram('node', [ptun, 'config', 'check'], { cwd: folder })
  expect({ code: exit.code, stderr }).toEqual({ code: 0, stderr: '' })
})

test('documents: every verb of ptun that they show exists', async () => {
  const shown = ['README.md', 'docs/operations.md', 'docs/architecture.md'].flatMap((path) =>
    [...document(path).matchAll(/(?:npx porttunneler|`ptun) ([a-z]+)/g)].map(([, verb = '']) => verb),
  )
  expect(shown.length).toBeGreaterThan(3)
  for (const verb of new Set(shown)) {
    const { exit, stdout } = await runProgram('node', [ptun, verb, '--help'])
    expect({ verb, code: exit.code, isShown: stdout.includes(`ptun ${verb}`) }).toEqual({
      verb,
      code: 0,
      isShown: true,
    })
  }
})

test('documents: the settings of a standalone server match the table', async () => {
  const inTable = [...document('docs/operations.md').matchAll(/`(PORTTUNNELER_[A-Z_]+)`/g)].map(
    ([, name]) => name,
  )
  const inCode = [...document('standalone/config.ts').matchAll(/\b(PORTTUNNELER_[A-Z_]+)\b/g)]
    .map(([, name]) => name)
    .filter((name) => !name?.endsWith('_'))
  expect(new Set(inTable)).toEqual(new Set(inCode))
})

test('documents: the events of --json match the table', () => {
  const inTable = [...document('docs/cli.md').matchAll(/^\| (`[a-z.]+`(?:, `[a-z.]+`)*) +\|/gm)]
    .flatMap(([, names = '']) => [...names.matchAll(/`([a-z.]+)`/g)].map(([, name]) => name))
    .filter((name) => name !== undefined)
  const code = ['cli/agent/events.ts', 'cli/commands', 'cli/main.ts']
    .map((path) => sourceText(path))
    .join('\n')
  const inCode = [...code.matchAll(/event: '([a-z.]+)'/g)].map(([, name]) => name)
  expect(new Set(inTable)).toEqual(new Set(inCode))
})

function sourceText(path: string): string {
  if (path.endsWith('.ts')) return document(path)
  return readdirSync(join(root, path))
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .map((name) => document(join(path, name)))
    .join('\n')
}
