/** docs/cli.md matches the program: its tables and examples are compared with the code and run through it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { codes } from '@porttunneler/shared/base/errors'
import type { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { parseConfig } from './config.ts'
import { buildProgram } from './program.ts'

const document = readFileSync(join(import.meta.dirname, '../docs/cli.md'), 'utf8')
const blocks = (language: string) =>
  [...document.matchAll(/```(\w+)\n([\s\S]*?)```/g)]
    .filter(([, name]) => name === language)
    .map(([, , text = '']) => text)

/** First column of the table after a heading or line; names in backquotes. */
function columnAfter(mark: string): readonly string[] {
  const [table = ''] = /(?:^\|.*\n)+/m.exec(document.slice(document.indexOf(mark))) ?? []
  return [...table.matchAll(/^\| *([^|]*?) *\|/gm)].map(([, cell = '']) => cell.replaceAll('`', '')).slice(2)
}

const noRun = async () => {}

function verbsOf(command: Command, path = 'ptun'): readonly string[] {
  return command.commands.flatMap((child) => {
    const words = child.registeredArguments.map((one) => {
      const name = one.variadic ? `${one.name()}...` : one.name()
      return one.required ? ` <${name}>` : ` [${name}]`
    })
    const own = `${path} ${child.name()}`
    return child.commands.length > 0 ? verbsOf(child, own) : [own + words.join('')]
  })
}

function optionsOf(command: Command): readonly string[] {
  const own = command.options.map(({ flags }) => flags.replace(/^-\w, /, ''))
  return [...own, ...command.commands.flatMap(optionsOf)]
}

describe('docs/cli.md', () => {
  test('has every verb with its arguments, and no other', () => {
    expect(columnAfter('## Verbs').toSorted()).toEqual(verbsOf(buildProgram(noRun)).toSorted())
  })

  test('has every option, and no other', () => {
    const inCode = new Set([...optionsOf(buildProgram(noRun)), '--help'])
    expect(new Set(columnAfter('## Options'))).toEqual(inCode)
  })

  test('has every exit code', () => {
    const inTable = columnAfter('exit code:').map(Number)
    const inCode = new Set([0, 130, ...Object.values(codes).map(({ exit }) => exit)])
    expect(new Set(inTable)).toEqual(inCode)
  })

  test('every command shown is understood', async () => {
    const lines = blocks('sh')
      .flatMap((block) => block.split('\n'))
      .filter((line) => line.startsWith('ptun '))
    expect(lines.length).toBeGreaterThan(5)
    for (const line of lines) {
      let runs = 0
      const program = buildProgram(async () => {
        runs += 1
      })
      const words = [...line.replace(/ [>#].*$/, '').matchAll(/"([^"]*)"|\S+/g)].map(
        ([word, quoted]) => quoted ?? word,
      )
      await program.exitOverride().parseAsync(words.slice(1), { from: 'user' })
      expect({ line, runs }).toEqual({ line, runs: 1 })
    }
  })

  test('every ptun.yaml shown is valid', () => {
    const files = blocks('yaml')
    expect(files.length).toBeGreaterThan(0)
    const env = { PUBLIC_PORT: '20100' }
    for (const text of files) expect(parseConfig(text, 'ptun.yaml', env).tunnels.length).toBeGreaterThan(0)
  })
})
