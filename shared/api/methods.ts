/** The methods of an address, for the answer to a method that it does not have (RFC 9110, section 15.5.6). */
import type { Declared } from './kit.ts'

/** @returns the methods that `path` takes; none if nothing is there */
export function methodsAt(
  declared: readonly Pick<Declared, 'method' | 'path'>[],
): (path: string) => string[] {
  const byPath = new Map<string, { readonly pattern: RegExp; readonly methods: Set<string> }>()
  for (const { method, path } of declared) {
    const known = byPath.get(path) ?? { pattern: patternOf(path), methods: new Set<string>() }
    known.methods.add(method.toUpperCase())
    if (method === 'get') known.methods.add('HEAD')
    byPath.set(path, known)
  }
  return (path) => [
    ...new Set(
      [...byPath.values()].flatMap(({ pattern, methods }) => (pattern.test(path) ? [...methods] : [])),
    ),
  ]
}

function patternOf(path: string): RegExp {
  const parts = path.split(/\{[^}]*\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('[^/]+')}$`)
}
