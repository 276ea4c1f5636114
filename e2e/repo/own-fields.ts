/**
 * Fields are written by their own file: in shared/mux and relay-vm no file sets a field of a class or exported type of
 * another file, or changes a public set, map or list of it. A person who changes a file then knows everybody who writes
 * its fields. There are no types here, so only the name counts: a file that has a field of the same name is not
 * checked.
 */
import { type AnyNode, isTest, type Source, type Violation, violation, walk } from './sources.ts'

/** By the name of a field, the files that have one: `open` to others, or any. */
type Kept = { readonly open: Map<string, Set<string>>; readonly own: Map<string, Set<string>> }

const mutators = new Set(['add', 'delete', 'set', 'clear', 'push', 'pop', 'shift', 'unshift', 'splice'])

/** `sources` may be any; it checks those of the data plane that programs run. */
export function checkOwnFields(sources: readonly Source[]): readonly Violation[] {
  const looked = sources.filter(({ path }) => /^(?:shared\/mux|relay-vm)\//.test(path) && !isTest(path))
  const fields: Kept = { open: new Map(), own: new Map() }
  const collections: Kept = { open: new Map(), own: new Map() }
  for (const source of looked) collect(source, fields, collections)
  return looked.flatMap((source) => {
    const found: Violation[] = []
    const isTheirs = (kept: Kept, name: string | undefined) =>
      name !== undefined && kept.open.has(name) && !kept.own.get(name)?.has(source.path)
    walk(source, (node) => {
      const written = fieldOf(writtenBy(node))
      const changed = fieldOf(changedBy(node))
      if (isTheirs(fields, written))
        found.push(violation(source, node.start, `sets ${written}, which another file keeps`))
      if (isTheirs(collections, changed))
        found.push(violation(source, node.start, `changes ${changed}, which another file keeps`))
    })
    return found
  })
}

function collect(source: Source, fields: Kept, collections: Kept): void {
  const note = (files: Map<string, Set<string>>, name: string) =>
    files.set(name, (files.get(name) ?? new Set()).add(source.path))
  const keep = (kept: Kept, name: string, isOpen = true) => {
    note(kept.own, name)
    if (isOpen) note(kept.open, name)
  }
  walk(source, (node, parents) => {
    if (!('key' in node) || node.key?.type !== 'Identifier') return
    const { name } = node.key
    if (node.type === 'PropertyDefinition') {
      if (!node.readonly) keep(fields, name)
      if (isCollection(node.value as AnyNode | null)) keep(collections, name)
    } else if (node.type === 'MethodDefinition' && node.kind === 'set') keep(fields, name)
    else if (node.type === 'TSPropertySignature' && !node.readonly) {
      const isInType = parents.some(({ type }) => type === 'TSTypeAliasDeclaration')
      if (isInType)
        keep(
          fields,
          name,
          parents.some(({ type }) => type === 'ExportNamedDeclaration'),
        )
    }
  })
}

function isCollection(value: AnyNode | null): boolean {
  if (value?.type === 'ArrayExpression') return true
  return (
    value?.type === 'NewExpression' &&
    value.callee.type === 'Identifier' &&
    /^(?:Weak)?(?:Set|Map)$/.test(value.callee.name)
  )
}

function writtenBy(node: AnyNode): AnyNode | undefined {
  if (node.type === 'AssignmentExpression') return node.left as AnyNode
  if (node.type === 'UpdateExpression') return node.argument as AnyNode
  return node.type === 'UnaryExpression' && node.operator === 'delete'
    ? (node.argument as AnyNode)
    : undefined
}

function changedBy(node: AnyNode): AnyNode | undefined {
  if (node.type !== 'CallExpression' || node.callee.type !== 'MemberExpression') return undefined
  const { object, property } = node.callee
  return property.type === 'Identifier' && mutators.has(property.name) ? (object as AnyNode) : undefined
}

/** The name of a foreign field: `a.name`, and not `this.name`. */
function fieldOf(node: AnyNode | undefined): string | undefined {
  if (node?.type !== 'MemberExpression' || node.computed || node.property.type !== 'Identifier')
    return undefined
  return node.object.type === 'ThisExpression' ? undefined : node.property.name
}
