/**
 * Style is a test: the house rules that a machine can check are checked here, by the ordinary test command. Every rule
 * is a function in this folder; rules.test.ts shows that each of them can fail.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { codes } from '@porttunneler/shared/base/errors'
import { FrameType } from '@porttunneler/shared/protocol/frames'
import { describe, expect, test } from 'vitest'
import { pages } from '../../docs/errors.ts'
import { apiPages } from '../../standalone/testing/api-page.ts'
import { checkCitations, rulesOf } from './citations.ts'
import { type CatalogueRow, checkCatalogue, keysRaised } from './codes.ts'
import { dependenciesWithoutReason } from './dependencies.ts'
import { checkBlob, checkLinks, checkMentions } from './documents.ts'
import { exceptions } from './exceptions.ts'
import { checkAmbient, checkMachinePaths, checkNames, checkNotes, checkPorts, checkTests } from './habits.ts'
import { checkImports } from './imports.ts'
import { findMissingInLock } from './lock-file.ts'
import { checkMuxLayers, muxLayers } from './mux-layers.ts'
import { checkOwnFields } from './own-fields.ts'
import { checkSizes } from './sizes.ts'
import { readSources, repositoryFiles, root, type Source, type Violation } from './sources.ts'
import { findUnused } from './unused.ts'
import { checkWords } from './words.ts'

const files = repositoryFiles()
const sources = readSources(files)
const texts = files
  .filter((path) => /\.(?:ts|tsx|js|mjs|json|md|yml|yaml|html|css|sh)$|^\.ci\//.test(path))
  .filter((path) => path !== 'package-lock.json')
  .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))

const excused = new Set<(typeof exceptions)[number]>()

describe('tidy', () => {
  test('every file parses', () => {
    expectNone('parse', (source) =>
      source.parsed.errors.map(({ message }) => ({ path: source.path, line: 1, message })),
    )
  })
  test('layers import only what lies below them', () => expectNone('imports', checkImports))
  test('the data plane has at most seven layers, and none imports from above or in a circle', () => {
    expect(muxLayers.length).toBeLessThanOrEqual(7)
    const placed = muxLayers.flatMap(({ files: names }) => names.map((name) => `shared/mux/${name}.ts`))
    expect(placed.filter((path) => !files.includes(path))).toEqual([])
    expect(placed.length).toBe(new Set(placed).size)
    report('mux layers', checkMuxLayers(sources))
  })
  test('the data plane writes fields in the file that keeps them', () => {
    report('own fields', checkOwnFields(sources))
  })
  test('files, functions and lines stay small', () => expectNone('sizes', checkSizes))
  test('names say something', () => expectNone('names', checkNames))
  test('no note to self is left', () => expectNone('notes', checkNotes))
  test('comments are in plain English', () => expectNone('words', checkWords))
  test('clock and randomness are passed in', () => expectNone('ambient', checkAmbient))
  test('every test runs and none sleeps', () => expectNone('tests', checkTests))

  test('tests take ports that nobody else can get', () => expectNone('ports', checkPorts))

  test('no path of a machine', () => {
    report(
      'machine paths',
      texts.flatMap(({ path, text }) => checkMachinePaths(path, text)),
    )
  })
  test('no large file', () => report('blobs', files.flatMap(checkBlob)))
  test('every link leads somewhere', () => {
    const documents = texts.filter(({ path }) => path.endsWith('.md'))
    report(
      'links',
      documents.flatMap(({ path, text }) => checkLinks(path, text)),
    )
  })
  test("npx is told the name of our package: one that is called like the command would be somebody else's", () => {
    const command = ['npx', 'ptun'].join(' ')
    report(
      'package name',
      texts.flatMap(({ path, text }) =>
        text.split('\n').flatMap((line, index) => {
          const isPast = path.startsWith('docs/decisions/') || path === 'CHANGELOG.md'
          const isTold = !isPast && line.includes(command)
          return isTold ? [{ path, line: index + 1, message: 'write npx porttunneler' }] : []
        }),
      ),
    )
  })
  test('every document that is mentioned exists', () => {
    report(
      'mentions',
      texts.flatMap(({ path, text }) => checkMentions(path, text)),
    )
  })
  test('the document of the wire has every frame with its number', () => {
    const text = readFileSync(join(root, 'docs/protocol.md'), 'utf8')
    const rows = [...text.matchAll(/^\| ([A-Z]+) +\| 0x([0-9a-f]{2}) +\|/gm)]
    const documented = Object.fromEntries(
      rows.map(([, name = '', hex = '']) => [name, Number.parseInt(hex, 16)]),
    )
    const spoken = Object.entries(FrameType).map(([name, type]) => [name.toUpperCase(), type])
    expect(documented).toEqual(Object.fromEntries(spoken))
  })
  test('every rule of the wire that is cited stands in its document', () => {
    const rules = rulesOf(readFileSync(join(root, 'docs/protocol.md'), 'utf8'))
    expect(rules).toEqual(rules.map((_, index) => index + 1))
    expect(rules.length).toBeGreaterThan(20)
    const citing = texts.filter(({ path }) => /\.(?:ts|tsx|md)$/.test(path) && !path.startsWith('e2e/repo/'))
    report(
      'citations',
      citing.flatMap(({ path, text }) => checkCitations(path, text, rules)),
    )
  })
  test('every dependency says why it is there', () =>
    report('dependencies', dependenciesWithoutReason(files)))
  test('the lock file is whole, so that npm ci works', () => report('lock file', findMissingInLock()))
  test('nothing is exported, declared or kept that nobody uses', () => report('unused', findUnused()))
})

describe('tidy: error codes', () => {
  const rows = catalogue()

  test('numbers are unique, in their range and never empty of advice', () => {
    expect(rows.length).toBe(Object.keys(codes).length)
    report('catalogue', checkCatalogue(rows))
  })

  test('every code is raised somewhere', () => {
    const keys = new Set(rows.map(({ key }) => key))
    const raised = new Set(sources.flatMap((source) => [...keysRaised(source, keys)]))
    const never = rows.filter(({ key }) => !raised.has(key))
    report(
      'raised',
      never.map(({ path, key }) => ({ path, line: 1, message: `${key} is never raised` })),
    )
  })

  test('the page of the API says what its routes declare', async () => {
    const stale = [...(await apiPages())].filter(
      ([path, text]) => readFileSync(join(root, path), 'utf8') !== text,
    )
    report(
      'pages',
      stale.map(([path]) => ({ path, line: 1, message: 'not as the routes have it; run npm run docs' })),
    )
  })

  test('every code has its page, and the pages are those that npm run docs makes', () => {
    const made = pages()
    const kept = files.filter((path) => path.startsWith('docs/errors/'))
    const stale = [...made].filter(
      ([path, text]) => !kept.includes(path) || readFileSync(join(root, path), 'utf8') !== text,
    )
    const left = kept.filter((path) => !made.has(path))
    report(
      'pages',
      [...stale.map(([path]) => path), ...left].map((path) => ({
        path,
        line: 1,
        message: 'not as the catalogue has it; run npm run docs',
      })),
    )
  })
})

test('tidy: every exception still excuses something', () => {
  const idle = exceptions.filter((exception) => !excused.has(exception))
  expect(idle.map(({ rule, path }) => `${rule} ${path}: no longer needed, take it out`)).toEqual([])
})

function expectNone(rule: string, check: (source: Source) => readonly Violation[]): void {
  expect(sources.length).toBeGreaterThan(0)
  report(rule, sources.flatMap(check))
}

function report(rule: string, violations: readonly Violation[]): void {
  const left = violations.filter(({ path, message }) => {
    const exception = exceptions.find(
      (one) => one.rule === rule && one.path === path && message.includes(one.message ?? ''),
    )
    if (exception) excused.add(exception)
    return exception === undefined
  })
  expect(left.map(({ path, line, message }) => `${path}:${line} ${message}`)).toEqual([])
}

/** The rows with the file each is written in. */
function catalogue(): readonly CatalogueRow[] {
  return sources
    .filter(({ path }) => /^shared\/base\/codes\/\w+\.ts$/.test(path))
    .flatMap(({ path, text }) => {
      const thousand = Number(/PT-(\d)[n\d]{3}/.exec(text)?.[1] ?? Number.NaN)
      return Object.entries(codes)
        .filter(([key]) => text.includes(`'${key}': {`))
        .map(([key, { code, title, cause, cure }]) => ({ key, code, title, cause, cure, path, thousand }))
    })
}
