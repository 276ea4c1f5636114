/** Says to people where a value stands and what is wrong with it: no paths with dots, no words of the library. */
import { formatOrdinal } from '@porttunneler/shared/base/amounts'
import type { z } from 'zod'

type Issue = z.core.$ZodIssue
export type Path = readonly PropertyKey[]

const ordinals = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth', 'ninth']
const parts: Readonly<Record<string, string>> = {
  policy: 'access rules',
  health: 'health check',
  requestHeaders: 'request headers',
  responseHeaders: 'response headers',
}

/** "tunnel web, access rules, first entry of allow". Keys that a person has to find keep their spelling. */
export function sayPlace(path: Path): string {
  const said: string[] = []
  const [first, name] = path
  const isTunnel = first === 'tunnels' && name !== undefined
  if (isTunnel) said.push(`tunnel ${sayKey(name)}`)
  for (const key of path.slice(isTunnel ? 2 : 0)) {
    const before = said.at(-1)
    if (typeof key !== 'number') said.push(parts[String(key)] ?? sayKey(key))
    else if (before === undefined || / of /.test(before)) said.push(`${sayOrdinal(key)} part`)
    else said[said.length - 1] = `${sayOrdinal(key)} entry of ${before}`
  }
  return said.join(', ')
}

/** Quoted if it could be taken for something else. */
function sayKey(key: PropertyKey): string {
  const text = String(key)
  return /^[\w-]+$/.test(text) ? text : JSON.stringify(text)
}

function sayOrdinal(index: number): string {
  return ordinals[index] ?? formatOrdinal(index + 1)
}

const kinds: Readonly<Record<string, string>> = {
  array: 'a list',
  boolean: 'true or false',
  int: 'a whole number',
  number: 'a number',
  object: 'a map',
  record: 'a map',
  string: 'text',
}

/** Messages of our own schemas stay; those of the library are said anew. */
export function sayIssue(issue: Issue): string {
  if (issue.code === 'invalid_type') return `${kinds[issue.expected] ?? 'something else'} is expected`
  if (issue.code === 'invalid_value') return `${issue.values.map(String).join(' or ')} is expected`
  if (issue.code === 'too_big') return `at most ${issue.maximum} is allowed`
  if (issue.code === 'too_small') return `at least ${issue.minimum} is needed`
  if (issue.code === 'unrecognized_keys') return `${issue.keys.map(sayKey).join(', ')} is not known`
  return /^Invalid /.test(issue.message) ? 'it is not written as it must be' : issue.message
}

/** A value that fits none of its forms has a fault inside the form that was meant, if one of them fits from outside. */
export function innermost(issue: Issue): Issue {
  if (issue.code !== 'invalid_union') return issue
  const inside = issue.errors.flat().find(({ path }) => path.length > 0)
  return inside ? innermost({ ...inside, path: [...issue.path, ...inside.path] }) : issue
}
