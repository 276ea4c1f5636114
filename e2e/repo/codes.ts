/**
 * The error catalogue keeps its promises: numbers are unique and in the range of their file, every row has a sentence
 * for people, and every code is really raised (named outside the catalogue, not only compared).
 */
import { type AnyNode, isTest, type Source, type Violation, walk } from './sources.ts'

export type CatalogueRow = {
  readonly key: string
  readonly code: string
  readonly title: string
  readonly cause: string
  readonly cure: string
  /** The file of the row, and its thousand. */
  readonly path: string
  readonly thousand: number
}

export function checkCatalogue(rows: readonly CatalogueRow[]): readonly Violation[] {
  const owners = new Map<string, string>()
  return rows.flatMap(({ key, code, title, cause, cure, path, thousand }) => {
    const messages: string[] = []
    const number = Number(code.slice(3))
    if (!/^PT-\d{4}$/.test(code)) messages.push(`${code} is not of the form PT-nnnn`)
    if (Math.floor(number / 1000) !== thousand) messages.push(`${code} is outside PT-${thousand}nnn`)
    const owner = owners.get(code)
    if (owner !== undefined) messages.push(`${code} belongs to ${owner} already`)
    owners.set(code, key)
    if (!/^[a-z]+\.[a-z_]+$/.test(key)) messages.push('a key is area.words_of_it')
    if (title.endsWith('.')) messages.push('a title has no full stop')
    for (const [name, sentence] of Object.entries({ cause, cure }))
      if (!/^\S+ .+ .*[\w)'"`][.!]$/s.test(sentence)) messages.push(`its ${name} is not a sentence`)
    return messages.map((message) => ({ path, line: 1, message: `${key}: ${message}` }))
  })
}

/** The keys among `keys` that a source raises or refuses with. */
export function keysRaised(source: Source, keys: ReadonlySet<string>): ReadonlySet<string> {
  const raised = new Set<string>()
  if (isTest(source.path) || source.path.startsWith('shared/base/codes/')) return raised
  walk(source, (node, parents) => {
    if (node.type !== 'Literal' || typeof node.value !== 'string' || !keys.has(node.value)) return
    if (!isComparison(node, parents.at(-1))) raised.add(node.value)
  })
  return raised
}

/** `error.key === 'x'`, `case 'x':`, `isFailure(error, 'x')`: asks for a code and does not raise it. */
function isComparison(node: AnyNode, parent: AnyNode | undefined): boolean {
  if (!parent) return false
  if (parent.type === 'BinaryExpression') return true
  if (parent.type === 'TSLiteralType') return true
  if (parent.type === 'SwitchCase') return parent.test?.start === node.start
  return (
    parent.type === 'CallExpression' &&
    parent.callee.type === 'Identifier' &&
    parent.callee.name === 'isFailure'
  )
}
