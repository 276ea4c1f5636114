/**
 * Takes secrets out of what is logged before it can be searched or shown. Our own code logs none (`Secret`); this is
 * the second wall, for what an error of a library or a proxy has quoted.
 */

/** Every secret of ours has a prefix of its own (base/ids.ts); the others are what our dependencies use. */
const shapes: readonly (readonly [RegExp, string])[] = [
  [/\b(pt[a-z]_)[\w-]{8,}/g, '$1[secret]'],
  [/\b(Bearer|Basic) +[\w.~+/=-]{8,}/gi, '$1 [secret]'],
  // A header of a JWT is short; without a limit, many beginnings in one long word would take its length squared.
  [/\beyJ[\w-]{8,400}\.[\w-]+(?:\.[\w-]*)?/g, '[token]'],
  [/\bya29\.[\w-]{8,}/g, '[token]'],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, '[private key]'],
  [/\b((?:[sr]k_(?:live|test)|whsec)_)[\w+/=-]{8,}/g, '$1[secret]'],
  [/(:\/\/[^\s/@:"]*:)[^\s/@"]+@/g, '$1[secret]@'],
  [/([?&#](?:token|code|key|secret|password|signature)=)[^\s&"#]+/gi, '$1[secret]'],
]

const secretName =
  /^(?:set-)?cookie$|^authorization$|(?:password|passphrase|secret|token|api-?key|private-?key|credential)$/i
/** Deeper than any line of ours. */
const depthMax = 6

/** The same text, with `[secret]` for whatever looks like one. */
export function withoutSecrets(text: string): string {
  return shapes.reduce((left, [shape, instead]) => left.replace(shape, instead), text)
}

/** The same value, JSON throughout: strings by their looks, fields also by their names. */
export function withoutSecretFields(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return withoutSecrets(value)
  if (typeof value !== 'object' || value === null) return value
  if (depth >= depthMax) return '[deeper]'
  if (Array.isArray(value)) return value.map((each) => withoutSecretFields(each, depth + 1))
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [
      withoutSecrets(name),
      secretName.test(name) && typeof each !== 'number' ? '[secret]' : withoutSecretFields(each, depth + 1),
    ]),
  )
}
