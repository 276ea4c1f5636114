/**
 * Removes from an answer what could control a terminal: JSON can have control characters in any of its strings, names
 * and messages alike, and sooner or later ptun prints them. So they are removed where answers arrive, once for all.
 * Line feeds and tabs stay (certificates have them), and so does the shape of the JSON.
 */

/**
 * C0 except line feed and tab, DEL, C1, and characters that reverse the direction of text (Trojan Source,
 * CVE-2021-42574).
 */
const unsafe = /[^\P{Cc}\n\t]|[\u202a-\u202e\u2066-\u2069]/u
const everyUnsafe = new RegExp(unsafe, 'gu')
/** One escape of a JSON string (RFC 8259, section 7), so that the second half of `\\` does not begin one. */
const escapes = /\\(?:u[0-9a-fA-F]{4}|.)/g

export function cleanJson(text: string): string {
  return text.replace(escapes, cleanEscape).replace(everyUnsafe, ' ')
}

function cleanEscape(found: string): string {
  if (/^\\[bfr]$/.test(found)) return ' '
  if (!found.startsWith('\\u')) return found
  return unsafe.test(String.fromCharCode(Number.parseInt(found.slice(2), 16))) ? ' ' : found
}
