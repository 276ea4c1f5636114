/** docs/operations.md has every verb and option of ptunctl, and ptunctl understands every example of the documents. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { buildProgram } from './program.ts'

const document = (name: string) => readFileSync(join(import.meta.dirname, '../docs', name), 'utf8')
const noOutput = { writeOut() {}, writeErr() {} }

function rowsOf(group: Command): readonly string[] {
  return group.commands.map((verb) => {
    const words = verb.registeredArguments.map((one) =>
      one.required ? ` <${one.name()}>` : ` [${one.name()}]`,
    )
    const options = verb.options.map(({ flags }) => `\`${flags}\``).join(', ')
    return `| \`${group.name()} ${verb.name()}${words.join('')}\` | ${options} |`
  })
}

test('docs/operations.md has every verb of ptunctl with its arguments and options, and no other', () => {
  const text = document('operations.md')
  const table = /\| verb +\| options +\|.*\n(?:\|.*\n)+/.exec(text)?.[0] ?? ''
  const shown = table
    .trim()
    .split('\n')
    .slice(2)
    .map((row) => /^\|[^|]*\|[^|]*\|/.exec(row)?.[0])
  expect(shown).toEqual(buildProgram(async () => {}, noOutput).commands.flatMap(rowsOf))
})

test('every command of ptunctl that the documents show is understood', async () => {
  const shown = ['operations.md', 'cloud.md', 'disaster.md'].flatMap(
    (name) => document(name).match(/^ptunctl .*/gm) ?? [],
  )
  expect(shown.length).toBeGreaterThan(15)
  for (const line of shown) {
    let runs = 0
    const count = async () => {
      runs += 1
    }
    const words = line.replace(/ +#.*$/, '').matchAll(/'([^']*)'|\S+/g)
    const given = [...words].map(([word, quoted]) => quoted ?? word).slice(1)
    await buildProgram(count, noOutput).parseAsync(given, { from: 'user' })
    expect({ line, runs }).toEqual({ line, runs: 1 })
  }
})
