/**
 * Reads host names from outside, in one place: case, a final dot, international letters and their ASCII spelling
 * (punycode), look-alikes, addresses in every spelling, public suffixes. Code that stores a name stores what this
 * returns. It never throws; each fault has its code. The relay reads SNI and Host, which are ASCII already, by the
 * rules of their own standards (shared/http/head.ts, relay-vm/listeners/sniff.ts).
 */
import { domainToASCII, domainToUnicode } from 'node:url'
import { parse } from 'tldts'
import { fail, type PortTunnelerError } from './errors.ts'
import { labelMax, plainName, sayOne, show, slipOfLabel } from './labels.ts'
import { readingOf } from './look-alikes.ts'
import { isMisleading } from './misleading-words.ts'
import { isWildcard, withoutStar } from './wildcards.ts'

/** Ids of documents end at 128 characters. */
export const hostMax = 128
/** Longer texts are not looked at. Four times what fits, for letters that get shorter in ASCII. */
const textMax = 4 * hostMax

export type HostReading =
  /** In small ASCII letters, without a final dot; `domain` is what its owner has registered. */
  { readonly host: string; readonly domain: string } | { readonly error: PortTunnelerError }

/** Scripts that may be mixed with Latin (UTS 39, "highly restrictive"); every other alphabet stands alone. */
const together: readonly (readonly string[])[] = [
  ['Latin', 'Han', 'Hiragana', 'Katakana'],
  ['Latin', 'Han', 'Bopomofo'],
  ['Latin', 'Han', 'Hangul'],
]
const scripts: ReadonlyMap<string, RegExp> = new Map(
  `Latin Cyrillic Greek Armenian Georgian Hebrew Arabic Devanagari Bengali Gurmukhi Gujarati Oriya Tamil Telugu Kannada
  Malayalam Sinhala Thai Lao Tibetan Myanmar Ethiopic Khmer Han Hiragana Katakana Bopomofo Hangul`
    .split(/\s+/)
    .map((name) => [name, new RegExp(`\\p{Script_Extensions=${name}}`, 'u')] as const),
)
/** Digits, hyphens and marks go with every alphabet. */
const common = /^[\p{Script=Common}\p{Script=Inherited}]$/u

/**
 * Reads an own domain: one host, or `*.` before a host that somebody can own. An asterisk anywhere else is refused, and
 * so is one right below a public suffix.
 */
export function readOwnDomain(text: string): HostReading {
  const spelt = readSpelling(text)
  if ('error' in spelt) return spelt
  const read = readHost(withoutStar(spelt.host))
  return 'error' in read ? read : { host: spelt.host, domain: read.domain }
}

/** Reads the spelling of an own domain into its one form, as `readAscii` does. It does not check who may own it. */
export function readSpelling(text: string): ReturnType<typeof readAscii> {
  const read = readAscii(withoutStar(text))
  if ('error' in read || !isWildcard(text)) return read
  const host = `*.${read.host}`
  if (host.length <= hostMax) return { host }
  return refuse(
    'name.length',
    `${show(host)} has ${host.length} characters in ASCII; at most ${hostMax} fit.`,
  )
}

/** Reads a name of somebody's own domain. It refuses wildcards, which only `readOwnDomain` accepts. */
export function readHost(text: string): HostReading {
  const read = readAscii(text)
  if ('error' in read) return read
  const { domain, isIcann, isPrivate } = parse(read.host, {
    allowPrivateDomains: true,
    extractHostname: false,
  })
  if (domain === null || !(isIcann || isPrivate))
    return refuse(
      'name.suffix',
      `${show(read.host)} is no domain that anybody can register, and lies under none.`,
    )
  return { host: read.host, domain }
}

/** `a.b.c` lies under `b.c`, and under itself. */
export function liesUnder(host: string, parent: string): boolean {
  return host === parent || host.endsWith(`.${parent}`)
}

/** Reads a name into small ASCII letters, without a final dot. It does not check who may own the name. */
export function readAscii(text: string): { readonly host: string } | { readonly error: PortTunnelerError } {
  const slip = slipOfText(text)
  if (slip) return { error: slip }
  const name = plainName(text)
  const parts = name.split('.')
  if (parts.includes(''))
    return refuse('name.length', `${show(text)} has nothing before, between or behind its dots.`)
  if (/^(0x[0-9a-f]*|[0-9]+)$/.test(parts.at(-1) ?? ''))
    return refuse('name.address', `${show(text)} is read as an IP address.`)
  const host = domainToASCII(name)
  if (host === '') return refuse(spelt(parts), `${show(text)} is not a valid spelling of a name.`)
  if (host.length > hostMax)
    return refuse(
      'name.length',
      `${show(text)} has ${host.length} characters in ASCII; at most ${hostMax} fit.`,
    )
  const unicode = domainToUnicode(host).split('.')
  const labels = host.split('.')
  for (const [at, label] of labels.entries()) {
    const error = label.startsWith('xn--')
      ? slipOfForeign(unicode[at] ?? '', { label, isUnderOwnLetters: isForeign(unicode.at(-1) ?? '') })
      : slipOfLabel(label)
    if (error) return { error }
  }
  return { host }
}

function refuse(key: Parameters<typeof fail>[0], detail: string) {
  return { error: fail(key, detail) }
}

/** Checks the text before it is changed: a mapping would turn `%41.com`, and full-width letters, into `a.com`. */
function slipOfText(text: string): PortTunnelerError | undefined {
  if (text === '') return fail('name.length', 'A name is missing: there is nothing there.')
  if (text.length > textMax)
    return fail('name.length', `The name has ${text.length} characters; at most ${hostMax} fit.`)
  if (/^\[?[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.%]*\]?$/i.test(text))
    return fail('name.address', `${show(text)} is an IP address.`)
  if (text.includes('*')) return fail('name.wildcard', `${show(text)} has an asterisk where none may stand.`)
  const strange = /[^\p{L}\p{M}\p{Nd}.-]/u.exec(text)?.[0]
  if (strange !== undefined)
    return fail('name.characters', `${show(text)} has ${sayOne(strange)}, which no host name has.`)
  const plain = text.normalize('NFKC')
  // The signs of Kelvin and Angstrom are letters to both normal forms, and no name is written with them.
  if (plain !== text.normalize('NFC') || /[\u2100-\u214f]/.test(text))
    return fail(
      'name.characters',
      `${show(text)} has letters of another width or form. Write ${show(plain)}.`,
    )
  return undefined
}

/** ICU refuses a label without a reason, so we look for it. */
function spelt(parts: readonly string[]) {
  if (parts.some((part) => part.length > 63)) return 'name.length'
  return parts.some((part) => part.startsWith('xn--')) ? 'name.look_alike' : 'name.hyphen'
}

/** Checks a label with letters beyond a to z, which browsers may show as they are. */
function slipOfForeign(
  text: string,
  { label, isUnderOwnLetters }: { readonly label: string; readonly isUnderOwnLetters: boolean },
): PortTunnelerError | undefined {
  const shown = show(text)
  // The ASCII spelling must be what the letters give, or two spellings would lead to two claims.
  if (text.startsWith('xn--') || domainToASCII(text) !== label)
    return fail('name.look_alike', `${show(label)} is not a valid spelling of a name.`)
  if (label.length > labelMax)
    return fail('name.length', `${shown} has ${label.length} characters in ASCII; at most ${labelMax} fit.`)
  if (text.startsWith('-') || text.endsWith('-'))
    return fail('name.hyphen', `${shown} begins or ends with a hyphen.`)
  if (text.slice(2, 4) === '--')
    return fail('name.hyphen', `${shown} has hyphens as its third and fourth character.`)
  const used = scriptsOf(text)
  if (used === undefined) return fail('name.look_alike', `${shown} mixes alphabets.`)
  const reading = readingOf(text)
  const isPlain = /^[a-z0-9-]+$/.test(reading)
  if (isPlain && isMisleading(reading)) return fail('name.look_alike', `${shown} is read as "${reading}".`)
  // A word of another alphabet in which every letter looks Latin is fine where the whole name is in that alphabet.
  if (isPlain && !used.includes('Latin') && !isUnderOwnLetters)
    return fail('name.look_alike', `${shown} is read as "${reading}", in letters of another alphabet.`)
  return undefined
}

function isForeign(label: string): boolean {
  return /[^\p{ASCII}]/u.test(label)
}

/** @returns undefined when neither one alphabet nor a permitted mix has all the letters */
function scriptsOf(text: string): readonly string[] | undefined {
  const letters = Array.from(text).filter((letter) => !common.test(letter))
  const fits = (names: readonly string[]) =>
    letters.every((letter) => names.some((name) => scripts.get(name)?.test(letter)))
  const single = [...scripts.keys()].find((name) => fits([name]))
  return single === undefined ? together.find(fits) : [single]
}
