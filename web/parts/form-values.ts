/** The values of a form: which field a refusal is about, what has changed, and whose change wins. */
import type { Trouble } from '../api/failure.ts'
import { issueText } from './problem-text.ts'

export type FormValues = Readonly<Record<string, string | boolean | readonly string[]>>
export type Issue = NonNullable<Trouble['issues']>[number]
/** In words for under each field; `rest` are those of no field of the form. */
type Sorted<Values> = { readonly fields: Partial<Record<keyof Values, string>>; readonly rest: Issue[] }

/** The field that a refusal is about: the first part of its path that the form has. */
function fieldOf<Values extends FormValues>(values: Values, { path }: Issue): keyof Values | undefined {
  return path.split('.').find((part) => Object.hasOwn(values, part))
}

/** Puts each refusal to its field. A field with two says both. */
export function sortIssues<Values extends FormValues>(
  values: Values,
  issues: readonly Issue[],
): Sorted<Values> {
  const fields: Partial<Record<keyof Values, string>> = {}
  const rest: Issue[] = []
  for (const issue of issues) {
    const field = fieldOf(values, issue)
    if (field === undefined) {
      rest.push(issue)
      continue
    }
    const text = textAtField(issue)
    const before = fields[field]
    if (before === undefined) fields[field] = text
    else if (!before.includes(text)) fields[field] = `${before}. ${text}`
  }
  return { fields, rest }
}

/** The label stands above it already: only the entry of a list is named. */
function textAtField(issue: Issue): string {
  const entry = /\.(\d+)$/.exec(issue.path)?.[1]
  const text = issueText({ ...issue, path: '' })
  const said = entry === undefined ? text : `Entry ${Number(entry) + 1}: ${text}`
  return said.charAt(0).toUpperCase() + said.slice(1)
}

function isSame(a: FormValues[string] | undefined, b: FormValues[string] | undefined): boolean {
  return a === b || (Array.isArray(a) && Array.isArray(b) && a.join('\n') === b.join('\n'))
}

/** The names of the fields in which the two differ. */
export function changedBetween<Values extends FormValues>(
  from: Values,
  to: Values,
): readonly (keyof Values & string)[] {
  return Object.keys(from).filter((name) => !isSame(from[name], to[name]))
}

/** What somebody else has saved meanwhile, with what this person has changed since `from` on top of it. */
export function onTopOf<Values extends FormValues>(theirs: Values, from: Values, mine: Values): Values {
  const changes = changedBetween(from, mine).map((name) => [name, mine[name]])
  return { ...theirs, ...Object.fromEntries(changes) }
}
