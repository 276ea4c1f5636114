/**
 * Words for people: no header names, field paths or patterns in the messages that the console shows, nor in its own
 * texts (docs/design.md).
 */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { codes } from '@porttunneler/shared/base/errors'
import { expect, test } from 'vitest'

/** What only programs read. */
const jargon = [
  /\b(?:Retry-After|If-(?:None-)?Match|Idempotency-Key|content-type|accept-\w+)\b/i,
  /\b(?:policy|edits|limits|body|query|params)\.[a-z]\w*/,
  /\\[dws]|\[\^?[a-z0-9]-[a-z0-9]|\(\?[:=!]|\^\w|\.\*/,
  /\b(?:undefined|null|NaN|boolean|regex|regular expression|JSON pointer)\b/,
]
const program = 'only programs get it: they speak HTTP with the API'
const operator = "it names the relay's setting to whoever runs the relay"
/** The messages that may, with the reason. */
const spared: Readonly<Record<string, string>> = {
  'api.idempotency': program,
  'api.secret_once': program,
  'api.media': program,
  'relay.memory': operator,
  'tls.budget': operator,
  'visitor.silent': operator,
}

function jargonIn(text: string): string | undefined {
  return jargon.map((pattern) => pattern.exec(text)?.[0]).find((found) => found !== undefined)
}

test('words: no message that a person may meet speaks of headers, field paths or patterns', () => {
  const found = Object.entries(codes)
    .filter(([key, entry]) => 'http' in entry && spared[key] === undefined)
    .flatMap(([key, { title, cause, cure }]) =>
      [title, cause, cure].flatMap((text) => {
        const word = jargonIn(text)
        return word === undefined ? [] : [`${key}: "${word}" in "${text}"`]
      }),
    )
  expect(found).toEqual([])
})

test('words: nor does the console itself', () => {
  const files = globSync('{pages,parts}/**/*.{ts,tsx}', {
    cwd: import.meta.dirname,
    exclude: ['**/*.test.ts'],
  })
  const found = files.flatMap((file) => {
    const source = readFileSync(join(import.meta.dirname, file), 'utf8').replace(
      /\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm,
      '',
    )
    return textsIn(source).flatMap((text) => {
      const word = jargonIn(text)
      return word === undefined ? [] : [`${file}: "${word}" in "${text}"`]
    })
  })
  expect(found).toEqual([])
})

/** What stands between tags, and strings of several words that begin as sentences do. */
function textsIn(source: string): readonly string[] {
  const between = [...source.matchAll(/>\s*([^<>{}=]*[A-Za-z]{2} [^<>{}=]*)\s*</g)].map(
    ([, text = '']) => text,
  )
  const quoted = [...source.matchAll(/(['"`])([A-Z][^'"`\n]* [^'"`\n]*)\1/g)].map(([, , text = '']) => text)
  // Neither a call nor a type is a text: `() => ask(undefined)` ends with a bracket that looks like a tag's.
  return [...between, ...quoted]
    .filter((text) => !/\w\(|\breadonly /.test(text))
    .map((text) => text.replace(/\s+/g, ' ').trim())
}

test('words: the lint finds what it is for', () => {
  expect(jargonIn('Wait as long as Retry-After says.')).toBe('Retry-After')
  expect(jargonIn('policy.allow.0: an address')).toBe('policy.allow')
  expect(jargonIn('must match /^[a-z]+$/')).toBe('[a-z')
  expect(jargonIn('Wait the time that is given, then try again.')).toBeUndefined()
  expect(textsIn('<p class="x">Send the If-Match header</p>')).toEqual(['Send the If-Match header'])
  expect(textsIn("const a = 'The policy.allow is wrong'")).toEqual(['The policy.allow is wrong'])
})
