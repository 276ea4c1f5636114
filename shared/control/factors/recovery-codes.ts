/**
 * Recovery codes: for the day on which every other factor is lost. Ten, each good once, shown once. With 120 random
 * bits a plain hash is enough (OWASP ASVS 5.0, 6.5.2 asks for 112).
 */
import { randomBytes } from 'node:crypto'
import { hashSecret } from '../../base/ids.ts'

const codesCount = 10
/** Crockford's: without letters that look like digits. */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'
const charsCount = 24
const groupChars = 6

export type NewCodes = { readonly codes: readonly string[]; readonly hashes: readonly string[] }

export function newCodes(): NewCodes {
  const plain = Array.from({ length: codesCount }, newCode)
  return { codes: plain.map(inGroups), hashes: plain.map(hashSecret) }
}

/** @returns undefined for what cannot be one, such as a code of an app */
export function hashOfCode(typed: string): string | undefined {
  const code = typed.toLowerCase().replace(/[\s-]/g, '').replace(/[il]/g, '1').replace(/o/g, '0')
  return code.length === charsCount ? hashSecret(code) : undefined
}

function newCode(): string {
  // 256 is a multiple of 32: each character is equally likely.
  return Array.from(randomBytes(charsCount), (byte) => alphabet[byte % alphabet.length]).join('')
}

function inGroups(code: string): string {
  return code.match(new RegExp(`.{${groupChars}}`, 'g'))?.join('-') ?? code
}
