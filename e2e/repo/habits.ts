/**
 * Habits of single lines: names that say nothing, notes to self, clocks and dice taken from the air, tests switched
 * off or sleeping, paths of somebody's machine.
 */
import { isEntryPoint } from './imports.ts'
import { type AnyNode, dottedName, isTest, type Source, type Violation, violation, walk } from './sources.ts'

const bannedWord = /(?:Impl|Manager|Helper|Helpers|Util|Utils)(?![a-z])|^(?:impl|manager|helper|util)s?$/
const bannedFile = /(?:^|[/.-])(?:impl|manager|helper|util)s?(?=[/.-])/
const noteToSelf = /\b(?:TODO|FIXME|XXX|HACK)\b/
const machinePath = /(?<![\w.~:/-])\/(?:work|root|home|Users)\/[\w.-]+/

export function checkNames(source: Source): readonly Violation[] {
  const found: Violation[] = []
  if (bannedFile.test(source.path))
    found.push({ path: source.path, line: 1, message: 'the file name says nothing; name it after its noun' })
  walk(source, (node) => {
    const name = declaredName(node)
    if (name !== undefined && bannedWord.test(name))
      found.push(violation(source, node.start, `"${name}" says nothing; name it after what it is`))
  })
  return found
}

export function checkNotes(source: Source): readonly Violation[] {
  return source.parsed.comments
    .filter(({ value }) => noteToSelf.test(value))
    .map(({ start }) => violation(source, start, 'a note to self belongs into an issue'))
}

/** Wall time, timers and randomness come from a Clock and a `random` that are passed in (shared/base/clock.ts). */
export function checkAmbient(source: Source): readonly Violation[] {
  const { path } = source
  if (isTest(path) || path.startsWith('shared/base/') || path.startsWith('web/') || isEntryPoint(path))
    return []
  const found: Violation[] = []
  walk(source, (node, parents) => {
    const name = ambientName(node)
    if (name !== undefined && !isDefault(node, parents.at(-1)))
      found.push(violation(source, node.start, `${name}: take a Clock or a random function as a parameter`))
  })
  return found
}

/** No test is switched off or alone, and none waits for a span of time where it could wait for an event. */
export function checkTests(source: Source): readonly Violation[] {
  if (!isTest(source.path)) return []
  const found: Violation[] = []
  walk(source, (node) => {
    const name = dottedName(node)
    if (name !== undefined && /^(?:test|it|describe|suite)\.(?:only|skip|todo)$/.test(name))
      found.push(violation(source, node.start, `${name}: every test runs`))
    if (name !== undefined && /^vi\.(?:do)?[mM]ock$/.test(name))
      found.push(
        violation(source, node.start, 'another test of its worker has the module already: pass it in'),
      )
    if (isImpatient(node))
      found.push(
        violation(
          source,
          node.start,
          'it gives up after a second, which a busy machine needs: name a timeout',
        ),
      )
    if (isSleep(node)) found.push(violation(source, node.start, 'wait for an event or move a FakeClock'))
  })
  return found
}

/** A port that was free a moment ago may be another program's by the time that somebody listens there. */
export function checkPorts(source: Source): readonly Violation[] {
  if (!isTest(source.path) && !source.path.startsWith('bench/')) return []
  const found: Violation[] = []
  walk(source, (node) => {
    if (node.type !== 'BlockStatement' && node.type !== 'Program') return
    const given = node.body.findIndex((statement) => /\.address\(\)/.test(textOf(source, statement)))
    const server = given < 0 ? undefined : /(\w+)\.address\(\)/.exec(textOf(source, node.body[given]))?.[1]
    if (!server) return
    const rest = node.body.slice(given + 1)
    const closed = rest.findIndex((statement) =>
      new RegExp(`^(?:await )?(?:new Promise\\(.*)?${server}\\.close\\(`).test(textOf(source, statement)),
    )
    const after = closed < 0 ? [] : rest.slice(closed)
    if (after.some((statement) => /\b(?:port|address)\b/.test(textOf(source, statement))))
      found.push(violation(source, node.start, 'take a port from shared/testing/ports.ts, which keeps it'))
  })
  return found
}

function textOf(source: Source, node: { readonly start: number; readonly end: number } | undefined): string {
  return node ? source.text.slice(node.start, node.end) : ''
}

/** Also checks texts that are not code. */
export function checkMachinePaths(path: string, text: string): readonly Violation[] {
  return text.split('\n').flatMap((line, index) => {
    const match = machinePath.exec(line)
    return match ? [{ path, line: index + 1, message: `${match[0]} is a path of one machine` }] : []
  })
}

function declaredName(node: AnyNode): string | undefined {
  switch (node.type) {
    case 'VariableDeclarator':
    case 'FunctionDeclaration':
    case 'ClassDeclaration':
    case 'TSTypeAliasDeclaration':
    case 'TSInterfaceDeclaration':
      return node.id && 'name' in node.id ? node.id.name : undefined
    case 'MethodDefinition':
    case 'PropertyDefinition':
    case 'TSPropertySignature':
      return 'name' in node.key && typeof node.key.name === 'string' ? node.key.name : undefined
    default:
      return undefined
  }
}

function ambientName(node: AnyNode): string | undefined {
  const dotted = dottedName(node)
  if (dotted === 'Date.now' || dotted === 'Math.random' || dotted === 'performance.now') return dotted
  if (node.type === 'NewExpression' && node.callee.type === 'Identifier')
    return node.callee.name === 'Date' && node.arguments.length === 0 ? 'new Date()' : undefined
  if (node.type !== 'CallExpression' || node.callee.type !== 'Identifier') return undefined
  return node.callee.name === 'setTimeout' || node.callee.name === 'setInterval'
    ? node.callee.name
    : undefined
}

/** `random = Math.random`: a default that a caller may replace is allowed. */
function isDefault(node: AnyNode, parent: AnyNode | undefined): boolean {
  if (parent?.type === 'AssignmentPattern') return parent.right.start === node.start
  return parent?.type === 'LogicalExpression' && parent.operator === '??' && parent.right.start === node.start
}

/** `new Promise((resolve) => setTimeout(resolve, ms))` and its twin in node:timers/promises. */
function isSleep(node: AnyNode): boolean {
  if (node.type === 'ImportDeclaration') return node.source.value === 'node:timers/promises'
  if (node.type !== 'NewExpression' || node.callee.type !== 'Identifier') return false
  const [executor] = node.arguments
  if (node.callee.name !== 'Promise' || executor?.type !== 'ArrowFunctionExpression') return false
  const [resolve] = executor.params
  const call = soleExpression(executor.body as AnyNode)
  if (resolve?.type !== 'Identifier' || call?.type !== 'CallExpression') return false
  const [callback] = call.arguments
  const isTimer = call.callee.type === 'Identifier' && call.callee.name === 'setTimeout'
  return isTimer && callback?.type === 'Identifier' && callback.name === resolve.name
}

/** Vitest's own patience is a second. */
function isImpatient(node: AnyNode): boolean {
  if (node.type !== 'CallExpression') return false
  const name = dottedName(node.callee as AnyNode)
  return (
    (name === 'vi.waitFor' || name === 'vi.waitUntil' || name === 'expect.poll') && node.arguments.length < 2
  )
}

function soleExpression(body: AnyNode): AnyNode | undefined {
  if (body.type !== 'BlockStatement') return body
  const [only, more] = body.body
  return only?.type === 'ExpressionStatement' && !more ? (only.expression as AnyNode) : undefined
}
