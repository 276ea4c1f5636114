/**
 * Parameters as Stripe's v1 API takes them: `items[0][price]=price_1&metadata[account]=acc_1`. Keys with numbers from 0
 * on, and `[]`, are lists. Everything else that could be read in two ways is refused.
 */
import { invalid } from './refusal.ts'

/** Texts, lists and maps of them; maps have no prototype. */
export type Form = { [key: string]: FormValue }
export type FormValue = string | FormValue[] | Form

const depthMax = 8

/** @throws Refusal for brackets that do not match, and for a name that is both a text and a map, or comes twice */
export function readForm(text: string): Form {
  const root = blank()
  for (const [key, value] of new URLSearchParams(text)) put(root, pathOf(key), { key, value })
  return lists(root) as Form
}

function pathOf(key: string): readonly string[] {
  const match = /^([^[\]]+)((?:\[[^[\]]*\])*)$/.exec(key)
  if (!match?.[1]) throw invalid(`Invalid parameter name: ${key}`, { param: key })
  const inner = [...(match[2] ?? '').matchAll(/\[([^[\]]*)\]/g)].map(([, name = '']) => name)
  if (inner.length >= depthMax) throw invalid(`${key} is nested too deeply`, { param: key })
  return [match[1], ...inner]
}

function put(root: Form, path: readonly string[], { key, value }: { key: string; value: string }): void {
  let at = root
  for (const [index, part] of path.entries()) {
    const name = part === '' ? String(Object.keys(at).length) : part
    const found = at[name]
    if (index === path.length - 1) {
      if (found !== undefined) throw invalid(`${key} was given more than once`, { param: key })
      at[name] = value
      return
    }
    if (typeof found === 'string' || Array.isArray(found))
      throw invalid(`Invalid hash: ${key}`, { param: key })
    const inner = found ?? blank()
    at[name] = inner
    at = inner
  }
}

/** Maps whose keys are 0, 1, ... become lists. */
function lists(value: FormValue): FormValue {
  if (typeof value === 'string' || Array.isArray(value)) return value
  const keys = Object.keys(value)
  const isList = keys.length > 0 && keys.every((key, index) => key === String(index))
  if (isList) return keys.map((key) => lists(value[key] ?? ''))
  for (const key of keys) value[key] = lists(value[key] ?? '')
  return value
}

function blank(): Form {
  return Object.create(null)
}
