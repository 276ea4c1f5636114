/** Shows for each tidy rule something that it refuses and something that it allows. */
import { describe, expect, test } from 'vitest'
import { checkCitations, rulesOf } from './citations.ts'
import { checkCatalogue, keysRaised } from './codes.ts'
import { anchorsOf, checkLinks, checkMentions } from './documents.ts'
import { checkAmbient, checkMachinePaths, checkNames, checkNotes, checkPorts, checkTests } from './habits.ts'
import { checkImports } from './imports.ts'
import { missingInLock } from './lock-file.ts'
import { checkMuxLayers } from './mux-layers.ts'
import { checkOwnFields } from './own-fields.ts'
import { checkSizes } from './sizes.ts'
import { parse, type Source, type Violation } from './sources.ts'
import { checkWords } from './words.ts'

const at = (path: string, ...lines: string[]) => parse(path, `${lines.join('\n')}\n`)
const messages = (violations: readonly Violation[]) => violations.map(({ message }) => message)

describe('tidy rules: imports', () => {
  const cases: readonly [path: string, specifier: string, isAllowed: boolean][] = [
    ['shared/mux/stream.ts', '../base/errors.ts', true],
    ['shared/base/errors.ts', '../mux/stream.ts', false],
    ['shared/mux/stream.ts', '../testing/link.ts', false],
    ['shared/mux/stream.test.ts', '../testing/link.ts', true],
    ['shared/protocol/frames.ts', '../api/schemas/common.ts', false],
    ['shared/api/schemas/tunnels.ts', '../../protocol/ticket.ts', true],
    ['shared/control/leases.ts', 'node:crypto', true],
    ['shared/control/leases.ts', 'node:fs', false],
    ['shared/control/leases.ts', 'express', false],
    ['shared/control/leases.ts', '@hono/zod-openapi', true],
    ['cli/main.ts', '@porttunneler/shared/mux/session', true],
    ['cli/main.ts', '@porttunneler/shared/http/scanner', true],
    ['shared/mux/stream.ts', '../http/scanner.ts', false],
    ['cli/main.ts', '@porttunneler/shared/control/leases', false],
    ['relay-vm/relay.ts', '@porttunneler/shared/control/leases', false],
    ['standalone/main.ts', '@porttunneler/relay-vm/config', true],
    ['functions/api.ts', '@porttunneler/relay-vm/config', false],
    ['web/app.tsx', '@porttunneler/shared/mux/session', false],
    ['web/app.tsx', '@porttunneler/shared/api/schemas/tunnels', false],
    ['web/app.tsx', '@porttunneler/shared/api/schemas/tunnel-words', true],
    ['web/testing/mock-server.ts', '@porttunneler/shared/api/schemas/tunnels', true],
    ['standalone/platform/store.sqlite.ts', 'node:sqlite', true],
    ['standalone/api.ts', 'node:sqlite', false],
    ['bench/main.ts', '@porttunneler/shared/control/leases', true],
    ['relay-vm/build.ts', '@porttunneler/packaging/bundle', true],
    ['web/vite.config.ts', '../packaging/sbom.ts', true],
    ['web/main.tsx', '../packaging/sbom.ts', false],
    ['relay-vm/relay.ts', '@porttunneler/packaging/bundle', false],
  ]
  test.each(cases)('%s importing %s: %s', (path, specifier, isAllowed) => {
    expect(checkImports(at(path, `import { x } from '${specifier}'`))).toHaveLength(isAllowed ? 0 : 1)
  })

  test('the console may import types of what it may not load', () => {
    const schema = '@porttunneler/shared/api/schemas/tunnels'
    expect(checkImports(at('web/app.tsx', `import type { Tunnel } from '${schema}'`))).toEqual([])
    expect(
      checkImports(at('web/app.tsx', `import { type Tunnel, tunnelSchema } from '${schema}'`)),
    ).toHaveLength(1)
  })

  test('re-exports and dynamic imports count', () => {
    const source = at(
      'shared/base/a.ts',
      "export { x } from '../mux/a.ts'",
      "await import('../api/schemas/b.ts')",
    )
    expect(messages(checkImports(source))).toEqual([
      'base may not import mux (../mux/a.ts)',
      'base may not import api (../api/schemas/b.ts)',
    ])
  })
})

describe('tidy rules: layers of the data plane', () => {
  const check = (...sources: [path: string, ...lines: string[]][]) =>
    messages(checkMuxLayers(sources.map(([path, ...lines]) => at(path, ...lines))))

  test('an import from above is refused, also of a type; one from below is not', () => {
    expect(check(['shared/mux/stream.ts', "import { Carrier } from './carrier.ts'"])).toEqual([])
    expect(check(['shared/mux/carrier.ts', "import type { Stream } from './stream.ts'"])).toEqual([
      'imports stream, which is above it',
    ])
    expect(check(['shared/mux/carrier.test.ts', "import { Stream } from './stream.ts'"])).toEqual([])
  })

  test('a circle on one layer is refused, and a file without a layer', () => {
    const circle = check(
      ['shared/mux/carrier.ts', "import { x } from './liveness.ts'"],
      ['shared/mux/liveness.ts', "import { x } from './retirement.ts'"],
      ['shared/mux/retirement.ts', "import { x } from './carrier.ts'"],
    )
    expect(circle).toHaveLength(3)
    expect(check(['shared/mux/carrier.ts', "import { x } from './liveness.ts'"])).toEqual([])
    expect(check(['shared/mux/nobody-knows-it.ts', ''])).toEqual(['stands on no layer of shared/mux'])
  })
})

describe('tidy rules: fields of the data plane', () => {
  const keeper = [
    'shared/mux/carrier.ts',
    'export class Carrier { kind = 1; readonly number = 1; readonly announced = new Set() }',
    'export type Member = { readonly agent: string; active: number }',
    'type Piece = { length: number }',
    'function f(carrier: Carrier) { carrier.kind = 2 }',
  ] as const
  const check = (path: string, ...lines: string[]) => {
    const [kept, ...text] = keeper
    return messages(checkOwnFields([at(kept, ...text), at(path, ...lines)]))
  }

  test.each([
    ['carrier.kind = 2', 'sets kind, which another file keeps'],
    ['this.#carrier.kind += 2', 'sets kind, which another file keeps'],
    ['member.active--', 'sets active, which another file keeps'],
    ['delete member.active', 'sets active, which another file keeps'],
    ['carrier.announced.add(1)', 'changes announced, which another file keeps'],
  ])('%s is refused elsewhere', (line, message) => {
    expect(check('relay-vm/visitors.ts', line)).toEqual([message])
    expect(check('relay-vm/visitors.test.ts', line)).toEqual([])
    expect(check('cli/agent/visitors.ts', line)).toEqual([])
  })

  test('so is a setter, which callers use like a field', () => {
    const state = at('relay-vm/state.ts', 'class State { set keys(keys: unknown) {} }')
    const found = checkOwnFields([state, at('relay-vm/sync.ts', 'state.keys = answer.keys')])
    expect(messages(found)).toEqual(['sets keys, which another file keeps'])
  })

  test('reads, own fields and names of no file pass', () => {
    expect(check('relay-vm/a.ts', 'x(carrier.kind, carrier.announced.has(1))', 'runs.length = 0')).toEqual([])
    expect(check('relay-vm/a.ts', 'class A { kind = 1; f() { this.kind = 2; x.kind = 3 } }')).toEqual([])
  })
})

describe('tidy rules: sizes', () => {
  const blank = (count: number) => Array.from({ length: count }, () => '')

  test('a long file, a long line and a long function are reported with their size', () => {
    const source = at(
      'cli/a.ts',
      'export function f() {',
      ...blank(330),
      '}',
      ...blank(30),
      `x(${'y'.repeat(120)})`,
    )
    expect(messages(checkSizes(source))).toEqual([
      '363 lines, more than 350',
      '123 characters, more than 120',
      'f has 332 lines, more than 70',
    ])
  })

  test('the length of a describe is that of its lines outside the tests', () => {
    const tests = (own: number) => [
      "describe('a', () => {",
      ...blank(own),
      "test('b', () => {",
      ...blank(60),
      '})',
      "test('c', () => {",
      ...blank(60),
      '})',
      '})',
    ]
    expect(checkSizes(at('cli/a.test.ts', ...tests(10)))).toEqual([])
    expect(checkSizes(at('cli/a.test.ts', ...tests(70)))).toHaveLength(1)
    expect(checkSizes(at('cli/a.ts', ...tests(10)))).toHaveLength(1)
  })
})

describe('tidy rules: habits', () => {
  const refuses = (check: (source: Source) => readonly Violation[], path: string, ...lines: string[]) =>
    expect(check(at(path, ...lines))).toHaveLength(1)
  const passes = (check: (source: Source) => readonly Violation[], path: string, ...lines: string[]) =>
    expect(check(at(path, ...lines))).toEqual([])

  test('names that say nothing are refused, in files, types and functions', () => {
    refuses(checkNames, 'cli/http-utils.ts', 'export const x = 1')
    refuses(checkNames, 'cli/a.ts', 'class SessionManager {}')
    refuses(checkNames, 'cli/a.ts', 'type StoreImpl = string')
    passes(checkNames, 'cli/a.ts', "import { promisify } from 'node:util'", 'const utilisation = 1')
  })

  test('a note to self is refused in comments only', () => {
    refuses(checkNotes, 'cli/a.ts', ['// TO', 'DO: later'].join(''))
    passes(checkNotes, 'cli/a.ts', ["const x = 'TO", "DO'"].join(''))
  })

  test('wordings that made readers guess are refused in comments', () => {
    refuses(checkWords, 'cli/a.ts', '/** Of the newest one. */')
    refuses(checkWords, 'cli/a.ts', '/**', ' * Whoever asks first.', ' */')
    refuses(checkWords, 'cli/a.ts', '/** Answers whether it is there. */')
    refuses(checkWords, 'cli/a.ts', '/**', ' * Files of', ' * before had none.', ' */')
    passes(checkWords, 'cli/a.ts', "const x = 'Of two'", '/** Offers the newest one. Answers a PING. */')
  })

  test('ambient time and chance are refused outside base, tests and entry points', () => {
    refuses(checkAmbient, 'relay-vm/relay.ts', 'const x = Date.now()')
    refuses(checkAmbient, 'relay-vm/relay.ts', 'const x = { random: Math.random }')
    refuses(checkAmbient, 'relay-vm/relay.ts', 'setTimeout(f, 1)')
    refuses(checkAmbient, 'relay-vm/relay.ts', 'const x = new Date()')
    passes(checkAmbient, 'relay-vm/relay.ts', 'const x = new Date(clock.now())')
    passes(checkAmbient, 'relay-vm/relay.ts', 'function f({ random = Math.random }) {}')
    refuses(checkAmbient, 'relay-vm/relay.ts', 'function f({ now = Date.now() }) {}')
    passes(checkAmbient, 'relay-vm/main.ts', 'start({ random: Math.random })')
    passes(checkAmbient, 'shared/base/clock.ts', 'const x = Date.now()')
  })

  test('tests that do not run or that sleep are refused', () => {
    refuses(checkTests, 'cli/a.test.ts', "test.only('a', () => {})")
    refuses(checkTests, 'cli/a.test.ts', "describe.skip('a', () => {})")
    refuses(checkTests, 'cli/a.test.ts', "vi.mock('../a.ts', () => ({}))")
    refuses(checkTests, 'cli/a.test.ts', 'await new Promise((resolve) => setTimeout(resolve, 50))')
    refuses(checkTests, 'cli/a.test.ts', 'await new Promise((resolve) => { setTimeout(resolve, 50) })')
    refuses(checkTests, 'cli/a.test.ts', "import { setTimeout } from 'node:timers/promises'")
    passes(checkTests, 'cli/a.test.ts', 'await new Promise((resolve) => socket.once("close", resolve))')
    refuses(checkTests, 'cli/a.test.ts', 'await vi.waitFor(() => expect(a).toBe(b))')
    refuses(checkTests, 'cli/a.test.ts', 'await expect.poll(() => a).toBe(b)')
    passes(checkTests, 'cli/a.test.ts', 'await vi.waitFor(() => expect(a).toBe(b), { timeout: 20_000 })')
    const given = 'const { port } = server.address()'
    for (const close of ['server.close()', 'await new Promise((resolve) => server.close(resolve))'])
      refuses(checkPorts, 'cli/a.test.ts', `async () => { ${given}; ${close}; return port }`)
    refuses(checkPorts, 'cli/a.test.ts', `() => { ${given}; server.close(() => resolve(port)) }`)
    passes(checkPorts, 'cli/a.test.ts', `async () => { ${given}; connect(port); server.close() }`)
  })

  test('paths of a machine are refused, those of the web are not', () => {
    expect(messages(checkMachinePaths('a.md', ['see /ho', 'me/jo/notes'].join('')))).toHaveLength(1)
    expect(checkMachinePaths('a.md', 'GET /v1/home/x, https://example.com/home/x, ./work/x')).toEqual([])
  })
})

describe('tidy rules: error codes', () => {
  const row = {
    key: 'lease.held',
    code: 'PT-2001',
    title: 'Held',
    cause: 'Another agent serves it.',
    cure: 'Stop the other one.',
    path: 'lease.ts',
    thousand: 2,
  }

  test('a number twice, out of range or without advice is refused', () => {
    expect(checkCatalogue([row])).toEqual([])
    expect(messages(checkCatalogue([row, { ...row, key: 'lease.other' }]))).toEqual([
      'lease.other: PT-2001 belongs to lease.held already',
    ])
    expect(messages(checkCatalogue([{ ...row, code: 'PT-3001' }]))).toEqual([
      'lease.held: PT-3001 is outside PT-2nnn',
    ])
    expect(messages(checkCatalogue([{ ...row, cure: 'retry' }]))).toEqual([
      'lease.held: its cure is not a sentence',
    ])
  })

  test('a code counts as raised when it is passed on, not when it is compared with', () => {
    const keys = new Set(['lease.held'])
    const raised = (line: string) => [...keysRaised(at('cli/a.ts', line), keys)]
    expect(raised("throw fail('lease.held')")).toEqual(['lease.held'])
    expect(raised("const key = busy ? 'lease.held' : other")).toEqual(['lease.held'])
    expect(raised("if (error.key === 'lease.held') stop()")).toEqual([])
    expect(raised("if (isFailure(error, 'lease.held')) stop()")).toEqual([])
    expect(raised("switch (key) { case 'lease.held': stop() }")).toEqual([])
  })
})

describe('tidy rules: documents', () => {
  test('a link to a missing file or heading is refused', () => {
    expect(checkLinks('README.md', '[a](LICENSE) [b](https://example.com) [c](nowhere.md)')).toHaveLength(1)
    expect(checkLinks('README.md', '```\n[c](nowhere.md)\n```')).toEqual([])
    expect(checkMentions('a.ts', ['// see docs/no-', 'such.md'].join(''))).toHaveLength(1)
  })

  test('a lock file without its packages’ requirements is refused', () => {
    const packages = {
      '': { dependencies: { a: '1' } },
      'node_modules/a': { optionalDependencies: { 'a-linux': '1', 'a-mac': '1' } },
      'node_modules/a/node_modules/a-linux': {},
    }
    expect(messages(missingInLock({ packages }))).toEqual([
      'a-mac, which node_modules/a asks for, is missing',
    ])
    expect(missingInLock({ packages: { ...packages, 'node_modules/a-mac': {} } })).toEqual([])
  })

  test('a citation of a rule that is not written down is refused, also in a range or over two lines', () => {
    const rules = rulesOf('1. no\n## Rules by number\n\n1. a\n2. b\n3. c\n\n## Next\n\n4. no\n')
    expect(rules).toEqual([1, 2, 3])
    const cited = (text: string) => messages(checkCitations('a.ts', text, rules))
    expect(cited('// (rules 1 to 3)\n// rule 2, and rules 1 and 3')).toEqual([])
    expect(cited('/**\n * As said (rules 2 and\n * 4).')).toEqual(['rule 4 is not in docs/protocol.md'])
    expect(cited('rules 2 to 5')).toHaveLength(2)
  })

  test('heading anchors are made as the site makes them', () => {
    expect([...anchorsOf('# One two\n## PT-0001: `x`?\n')]).toEqual(['one-two', 'pt-0001-x'])
  })
})
