/**
 * One part of a host name, between two dots, in small ASCII letters: whether it is allowed, and if not why, in words.
 * All programs and the console use it; host-names.ts reads whole names.
 */
import { fail, type PortTunnelerError } from './errors.ts'

export const labelMax = 63
/** Tunnel names are shorter than a label, to leave room for a suffix. */
export const nameMax = 40
/**
 * `host:`, a name with its suffix and the cell's domain together are a document id, which has at most 128 characters.
 */
export const cellDomainMax = 128 - 'host:'.length - nameMax - '-x7k2.'.length

/** Lookup form of a name: capitals become small letters (RFC 4343), and a final dot is dropped (RFC 1034, 3.1). */
export function plainName(text: string): string {
  // The sign of Kelvin has "k" as its small letter, so where there is more than ASCII only A to Z change.
  const name = /^[ -~]*$/.test(text)
    ? text.toLowerCase()
    : text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
  return name.endsWith('.') ? name.slice(0, -1) : name
}

/** @param max letters that fit @returns undefined when the label is allowed */
export function slipOfLabel(label: string, max = labelMax): PortTunnelerError | undefined {
  const shown = show(label)
  if (label === '') return fail('name.length', 'A name is missing: there is nothing there.')
  const strange = /[^a-z0-9-]/u.exec(label.normalize('NFC'))?.[0]
  if (strange !== undefined) return fail('name.characters', sayCharacter(label, strange))
  if (label.length > max)
    return fail('name.length', `${shown} has ${label.length} characters; at most ${max} fit.`)
  if (label.startsWith('-') || label.endsWith('-'))
    return fail('name.hyphen', `${shown} begins or ends with a hyphen.`)
  if (label.startsWith('xn--'))
    return fail('name.look_alike', `${shown} stands for letters beyond a to z, which this name may not have.`)
  if (label.slice(2, 4) === '--')
    return fail('name.hyphen', `${shown} has hyphens as its third and fourth character.`)
  return undefined
}

function sayCharacter(text: string, strange: string): string {
  const shown = show(text)
  const plain = text.normalize('NFKC').toLowerCase()
  if (/^[a-z0-9-]+$/.test(plain) && plain !== text)
    return `${shown} is not in small, plain letters. Write "${plain}".`
  if (strange === '_') return `${shown} has an underscore. Write a hyphen instead.`
  if (strange === '.') return `${shown} has a dot. Write one name here, without the domain.`
  if (strange === '*')
    return `${shown} has an asterisk, which only the beginning of a whole host name may have.`
  return `${shown} has ${sayOne(strange)}: a name has only a to z, 0 to 9 and hyphens.`
}

/** Shows a printable character, and names any other by its number. */
export function sayOne(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
  return /^[\p{L}\p{N}\p{P}\p{S}]$/u.test(character)
    ? `"${character}" (U+${code})`
    : `the character U+${code}`
}

/** Shortens a long text and escapes unprintable ones, since they come from outside. */
export function show(text: string): string {
  const printable = text.replaceAll(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, '\u{fffd}')
  return `"${printable.length > 70 ? `${printable.slice(0, 60)}…` : printable}"`
}
