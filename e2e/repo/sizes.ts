/**
 * Files, functions and lines must fit a head and a screen. A function's length is all its lines; in tests, where a
 * describe holds many tests, lines of inner functions count only for those.
 */
import { type AnyNode, isTest, lineAt, type Source, type Violation, violation, walk } from './sources.ts'

const sizes = { fileLines: 350, testFileLines: 700, lineChars: 120, functionLines: 70 } as const

/** Imports and long literals stay on one line whatever a formatter does. */
const unbreakable = /^\s*(?:import|export) .* from |(['"`]).{60,}\1/

export function checkSizes(source: Source): readonly Violation[] {
  return [...checkFile(source), ...checkLines(source), ...checkFunctions(source)]
}

function checkFile(source: Source): readonly Violation[] {
  const lines = source.text.trimEnd().split('\n').length
  const most = isTest(source.path) ? sizes.testFileLines : sizes.fileLines
  return lines > most ? [{ path: source.path, line: most, message: `${lines} lines, more than ${most}` }] : []
}

function checkLines(source: Source): readonly Violation[] {
  return source.text.split('\n').flatMap((text, index) => {
    const chars = [...text].length
    if (chars <= sizes.lineChars || unbreakable.test(text)) return []
    return [
      { path: source.path, line: index + 1, message: `${chars} characters, more than ${sizes.lineChars}` },
    ]
  })
}

function checkFunctions(source: Source): readonly Violation[] {
  const found: { node: AnyNode; lines: number; name: string }[] = []
  const ownOnly = isTest(source.path)
  walk(source, (node, parents) => {
    if (!isFunction(node)) return
    const lines = linesOf(source, node)
    if (ownOnly) {
      const outer = found.findLast(({ node: other }) => other.start <= node.start && node.end <= other.end)
      if (outer) outer.lines -= lines
    }
    found.push({ node, lines, name: nameOf(node, parents.at(-1)) })
  })
  return found
    .filter(({ lines }) => lines > sizes.functionLines)
    .map(({ node, lines, name }) =>
      violation(source, node.start, `${name} has ${lines} lines, more than ${sizes.functionLines}`),
    )
}

function isFunction(node: AnyNode): boolean {
  return (
    node.type === 'FunctionDeclaration' ||
    node.type === 'FunctionExpression' ||
    node.type === 'ArrowFunctionExpression'
  )
}

function linesOf({ text }: Source, { start, end }: AnyNode): number {
  return lineAt(text, end) - lineAt(text, start) + 1
}

function nameOf(node: AnyNode, parent: AnyNode | undefined): string {
  if ('id' in node && node.id && 'name' in node.id) return node.id.name
  if (parent && 'key' in parent && parent.key && 'name' in parent.key) return String(parent.key.name)
  if (parent?.type === 'VariableDeclarator' && parent.id.type === 'Identifier') return parent.id.name
  return 'a function'
}
