/**
 * Refuses passwords that are guessed first (NIST SP 800-63B, section 3.1.1.2): those of known leaks, also with a few
 * characters around them or written twice; repetitions and runs of the alphabet, of digits or of a keyboard; and the
 * person's own address. It requires nothing else: no kinds of characters, no regular change.
 */
import { fail } from '@porttunneler/shared/base/errors'
import { commonPasswords } from './identity.local.common.ts'

/** This many characters beside a known word do not make it a different one: a year and a few signs. */
const extrasMax = 5
/** Steps that follow no pattern; with fewer, a password is guessed with the patterns themselves. */
const stepsMin = 5

/** Read in both directions. Columns of a keyboard count too: 1qaz 2wsx. */
const runs = [
  'abcdefghijklmnopqrstuvwxyz',
  '01234567890',
  'qwertyuiop',
  'qwertzuiop',
  'azertyuiop',
  'asdfghjkl',
  'zxcvbnm',
  'yxcvbnm',
  '1qaz',
  '2wsx',
  '3edc',
  '4rfv',
  '5tgb',
  '6yhn',
  '7ujm',
  '!@#$%^&*()',
]
const neighbours = new Set(
  runs.flatMap((run) => [...run].slice(1).flatMap((next, at) => [`${run[at]}${next}`, `${next}${run[at]}`])),
)
const leet: Readonly<Record<string, string>> = {
  0: 'o',
  1: 'i',
  3: 'e',
  4: 'a',
  5: 's',
  7: 't',
  '@': 'a',
  $: 's',
}

/** @throws auth.weak with the reason, before anything is looked up */
export function requireStrong(password: string, email: string): void {
  const text = password.normalize('NFKC').toLowerCase()
  const unit = unitOf(text)
  const detail = isCommon(unit)
    ? 'This is one of the passwords that are tried first.'
    : isPattern(unit)
      ? 'A repetition or a run such as abcd, 1234 or qwerty is tried first.'
      : isPersonal(text, email)
        ? 'It is little more than your address or the name of the service.'
        : undefined
  if (detail !== undefined) throw fail('auth.weak', detail)
}

/** The part that `text` repeats to its end, or `text` itself. */
function unitOf(text: string): string {
  for (let length = 1; length <= text.length / 2; length++) {
    const unit = text.slice(0, length)
    if (unit.repeat(Math.ceil(text.length / length)).startsWith(text)) return unit
  }
  return text
}

function isCommon(text: string): boolean {
  if (commonPasswords.has(text)) return true
  const core = text.replace(/^[^a-z]+|[^a-z]+$/g, '')
  if (text.length - core.length > extrasMax) return false
  const plain = [...core].map((letter) => leet[letter] ?? letter).join('')
  return [core, plain].some((word) => commonPasswords.has(word) || commonPasswords.has(unitOf(word)))
}

function isPattern(text: string): boolean {
  let steps = 1
  for (let at = 1; at < text.length; at++) {
    const isRun = text[at] === text[at - 1] || neighbours.has(text.slice(at - 1, at + 1))
    if (!isRun) steps++
  }
  return steps < stepsMin
}

function isPersonal(text: string, email: string): boolean {
  const [name = ''] = email.trim().toLowerCase().split('@')
  const own = [email.trim().toLowerCase(), name, 'porttunneler'].filter((word) => word.length >= 4)
  return own.some((word) => text.includes(word) && text.replaceAll(word, '').length <= extrasMax)
}
