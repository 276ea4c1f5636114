/** Every command after a loss is one that the real program takes, up to the point where it wants an account. */
import { afterAll, expect, test } from 'vitest'
import { buildProgram } from '../ptunctl/program.ts'
import { environmentSchema } from './environment.ts'
import { functionVariables } from './function-variables.ts'
import { Workbench } from './offline/workbench.ts'
import { environments, readEnvironment } from './read-environment.ts'
import { recoveryNames, recoveryOf } from './recoveries.ts'
import { stacksOf } from './testing/policy.ts'
import { hasGcloud, Shell } from './testing/shell.ts'

const environment = readEnvironment('prod')
const commands = [
  ...new Set(recoveryNames.flatMap((name) => recoveryOf(name, environment).flatMap((step) => step.commands))),
]
const shell = new Shell()
afterAll(() => shell[Symbol.dispose]())

test.skipIf(!hasGcloud())(
  'gcloud takes every command, and then misses only an account',
  async () => {
    const lines = commands.filter((line) => line.startsWith('gcloud '))
    expect(lines.length).toBeGreaterThan(12)
    // A few at a time: each is a Python program.
    for (let start = 0; start < lines.length; start += 4) {
      const some = lines.slice(start, start + 4)
      const results = await Promise.all(some.map((line) => shell.run(line)))
      for (const [index, { code, text }] of results.entries()) {
        expect(text, some[index]).toContain('active account')
        expect(code, some[index]).toBe(1)
      }
    }
  },
  240_000,
)

test('a shell reads every line', async () => {
  const { code, text } = await shell.run(`set -n\n${commands.join('\n')}`)
  expect({ code, text }).toEqual({ code: 0, text: '' })
})

test('ptunctl takes its own', async () => {
  const lines = commands.filter((line) => line.startsWith('ptunctl '))
  expect(lines.length).toBeGreaterThan(8)
  for (const line of lines) {
    const words = [...line.matchAll(/'([^']*)'|\S+/g)].map(([word, quoted]) => quoted ?? word).slice(1)
    let runs = 0
    const program = buildProgram(async () => void runs++, { writeOut() {}, writeErr() {} })
    await program.parseAsync(words, { from: 'user' })
    expect({ line, runs }).toEqual({ line, runs: 1 })
  }
})

test('a database beside the first gets the same indexes, and functions use the one that is named', () => {
  const named = 'restored-20260131'
  const input = { ...environments.prod, databases: ['(default)', named], database: named }
  const two = environmentSchema.parse(input)
  using before = new Workbench(environment)
  using after = new Workbench(two)
  const [one, both] = [before, after].map((bench) => stacksOf([bench.read('control')]))
  for (const type of ['google_firestore_index', 'google_firestore_field', 'google_firestore_backup_schedule'])
    expect(both?.of(type), type).toHaveLength(2 * (one?.of(type).length ?? 0))
  const keys = (stacks: typeof one) => stacks?.of('google_firestore_index').map(([place]) => place) ?? []
  expect(keys(both), 'the first keeps its own').toEqual(expect.arrayContaining(keys(one)))
  expect(
    both
      ?.of('google_firestore_database')
      .map(([, { name }]) => name)
      .sort(),
  ).toEqual(['(default)', named])
  expect(functionVariables(two).PORTTUNNELER_DATABASE).toBe(named)
  expect(environmentSchema.safeParse({ ...input, database: 'another' }).success).toBe(false)
})
