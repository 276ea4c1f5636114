/**
 * Words for people: no header names, field paths or patterns in the messages that the console shows, nor in its own
 * texts (docs/design.md).
 */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { codes } from '@porttunneler/shared/base/errors'
import { expect, test } from 'vitest'
import { textsIn } from './testing/texts.ts'

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

const shown = globSync('**/*.{ts,tsx}', {
  cwd: import.meta.dirname,
  exclude: ['**/*.test.ts', '**/vite.config.ts', 'testing/**', 'dist/**', 'node_modules/**'],
}).flatMap((file) =>
  textsIn(file, readFileSync(join(import.meta.dirname, file), 'utf8')).map((found) => ({ file, ...found })),
)

test('words: nor does the console itself, in any text of its sources', () => {
  expect(shown.length).toBeGreaterThan(800)
  const found = shown.flatMap(({ file, text }) => {
    const word = jargonIn(text) ?? namesIn(text)
    return word === undefined ? [] : [`${file}: "${word}" in "${text}"`]
  })
  expect(found).toEqual([])
})

test('words: a number before a word agrees with it: formatCounted knows one and many', () => {
  expect(shown.filter(({ isPlural }) => isPlural).map(({ file, text }) => `${file}: ${text}`)).toEqual([])
  expect(shown.filter(({ text }) => /…(?:st|nd|rd|th)\b/.test(text))).toEqual([])
})

/** Names of headers, and of fields as programs write them. */
function namesIn(text: string): string | undefined {
  return /\b[A-Z][a-z]+(?:-[A-Z][a-z]+)+\b|\b[a-z]+(?:[A-Z][a-z]+)+\b/.exec(text)?.[0]
}

test('words: the lint finds what it is for', () => {
  expect(jargonIn('Wait as long as Retry-After says.')).toBe('Retry-After')
  expect(jargonIn('policy.allow.0: an address')).toBe('policy.allow')
  expect(jargonIn('must match /^[a-z]+$/')).toBe('[a-z')
  expect(jargonIn('Wait the time that is given, then try again.')).toBeUndefined()
  expect(namesIn('Set requestsPerMinute, or Content-Type')).toBe('requestsPerMinute')
  const texts = (source: string) => textsIn('x.tsx', source)
  expect(texts('<p class="a b">Send the If-Match <b>{at} header</b></p>').map(({ text }) => text)).toEqual([
    'Send the If-Match',
    '… header',
  ])
  expect(texts("const a = 'The policy.allow is wrong'")[0]?.text).toBe('The policy.allow is wrong')
  expect(texts('<p>{count} agents</p>')[0]?.isPlural).toBe(true)
  expect(texts('const a = `in $' + '{seconds} seconds`')[0]?.isPlural).toBe(true)
  expect(texts('<p>{name} was saved</p>')[0]?.isPlural).toBe(false)
})
