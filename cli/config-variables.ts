/**
 * `${NAME}`, `${NAME:-default}` and `$$` in the values of ptun.yaml. They are filled in after the YAML was parsed and
 * before it is checked, so a variable can never change what a line means. Values may be secrets, so no message shows
 * them.
 */
import { type Document, isNode, type Scalar, visit } from 'yaml'
import type { Environment } from './paths.ts'

/** The place in the text, counted in characters from its beginning. */
export type VariableSlip = { readonly offset: number; readonly message: string }

const pattern = /\$(?:(\$)|\{([^}]*)\}|\{?)/g
const namePattern = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s
/** The key that ptun signs in with: no file, whoever wrote it, may send it anywhere. */
const forbidden = 'PTUN_KEY'

/** Fills in values from the environment. `filled`: the values that contain one. */
export function fillVariables(
  document: Document,
  text: string,
  env: Environment,
): { readonly slips: readonly VariableSlip[]; readonly filled: ReadonlySet<unknown> } {
  const slips: VariableSlip[] = []
  const filled = new Set<unknown>()
  visit(document, {
    Scalar(key, node) {
      if (key === 'key' || typeof node.value !== 'string' || !node.value.includes('$')) return
      const found = fill(node.value, env)
      for (const { written, message } of found.slips)
        slips.push({ offset: placeOf(node, text, written), message })
      if (found.slips.length > 0 || found.value === node.value) return
      if (found.hasVariable) filled.add(node)
      node.value = node.type === 'PLAIN' && found.hasVariable ? plainValue(found.value) : found.value
    },
  })
  return { slips, filled }
}

/** The value at a path, or something inside it, comes from a variable. */
export function isFilled(
  document: Document,
  path: readonly PropertyKey[],
  filled: ReadonlySet<unknown>,
): boolean {
  const node = path.length === 0 ? document.contents : document.getIn(path, true)
  let isFound = filled.has(node)
  if (isNode(node))
    visit(node, (_key, part) => {
      isFound ||= filled.has(part)
    })
  return isFound
}

type Found = {
  readonly value: string
  readonly hasVariable: boolean
  readonly slips: readonly { readonly written: string; readonly message: string }[]
}

function fill(value: string, env: Environment): Found {
  const slips: { written: string; message: string }[] = []
  let hasVariable = false
  const result = value.replace(pattern, (written: string, dollar?: string, inner?: string) => {
    if (dollar !== undefined) return '$'
    const [, name = '', byDefault] = namePattern.exec(inner ?? '') ?? []
    const message = complaint(written, { name, byDefault, env })
    if (message !== undefined) {
      slips.push({ written, message })
      return ''
    }
    hasVariable = true
    // As in a shell, `:-` also replaces an empty value.
    return byDefault === undefined ? (env[name] ?? '') : env[name] || byDefault
  })
  return { value: result, hasVariable, slips }
}

function complaint(
  written: string,
  { name, byDefault, env }: { name: string; byDefault: string | undefined; env: Environment },
): string | undefined {
  if (name === '')
    return `"${written}" is not a variable: write \${NAME}, \${NAME:-default}, or $$ for a dollar sign`
  if (name === forbidden)
    return `\${${forbidden}} cannot be used in ptun.yaml: your key goes to no place that a file names`
  if (byDefault === undefined && env[name] === undefined)
    return `the variable ${name} is not set; set it, or write \${${name}:-default}`
  return undefined
}

/** The value that YAML would have read there: without quotes a number is a number. */
function plainValue(text: string): string | number | boolean {
  if (/^-?\d{1,15}$/.test(text)) return Number(text)
  return text === 'true' || text === 'false' ? text === 'true' : text
}

function placeOf({ range }: Scalar, text: string, written: string): number {
  const [from = 0, to = text.length] = range ?? []
  return from + Math.max(0, text.slice(from, to).indexOf(written))
}
