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

/** The cells of that table, head and line included. */
function tableAfter(mark: string): readonly (readonly string[])[] {
  const [table = ''] = /(?:^\|.*\n)+/m.exec(document.slice(document.indexOf(mark))) ?? []
  return table
    .trim()
    .split('\n')
    .map((row) => row.split(' | ').map((cell) => cell.replace(/^\| */, '').trim()))
}

const noRun = async () => {}
const long = (flags: string) => flags.replace(/^-\w, /, '')

/** Each option of a verb, those of all verbs left out. */
function flagsOf(command: Command, path = ''): readonly (readonly string[])[] {
  return command.commands.flatMap((child) => {
    const name = `${path}${child.name()}`
    const visible = child.options.filter((option) => !option.hidden)
    return [...visible.map(({ flags }) => [name, flags]), ...flagsOf(child, `${name} `)]
  })
}

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

  test('says of every option which verbs have it', () => {
    const [, ...rows] = tableAfter('## Options').slice(1)
    const shown = rows.flatMap(([flags = '', of = '']) => {
      const verbs = [...of.matchAll(/`([a-z ]+)`/g)].map(([, verb]) => verb)
      return verbs.map((verb) => `${verb} ${flags.replaceAll('`', '')}`)
    })
    const program = buildProgram(noRun)
    const own = program.options.filter(({ long }) => long === '--version').map(({ flags }) => ['ptun', flags])
    const inCode = [...own, ...flagsOf(program)].map(([verb, flags = '']) => `${verb} ${long(flags)}`)
    expect(shown.toSorted()).toEqual(inCode.toSorted())
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
    const env = { PUBLIC_PORT: '20100', STRIPE_SECRET: 'whsec_x' }
    for (const text of files) expect(parseConfig(text, 'ptun.yaml', env).tunnels.length).toBeGreaterThan(0)
  })
})
