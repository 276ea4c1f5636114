/** Texts that people can read, made of bodies. What is not what it says stays as it came. */

export function prettyJson(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2)
  } catch {
    return text
  }
}

export function formPairs(text: string): readonly (readonly [name: string, value: string])[] {
  return [...new URLSearchParams(text)]
}

export type Part = { readonly name: string; readonly head: string; readonly text: string }

const partsMax = 100

/**
 * The parts of a multipart body (RFC 2046, 5.1).
 * @returns undefined if it has no boundary, or none of its parts
 */
export function partsOf(text: string, type: string): readonly Part[] | undefined {
  // The boundary counts as it was written, and the type is in small letters: the first line has it.
  const boundary = /boundary=/.test(type) ? /^--[^\r\n]{1,70}/.exec(text)?.[0] : undefined
  if (boundary === undefined) return undefined
  const pieces = text.split(boundary).slice(1, partsMax)
  const parts = pieces.flatMap((piece) => {
    const end = piece.indexOf('\r\n\r\n')
    if (piece.startsWith('--') || end < 0) return []
    const head = piece.slice(0, end).trim()
    const name = /name="([^"]*)"/i.exec(head)?.[1] ?? 'part'
    const file = /filename="([^"]*)"/i.exec(head)?.[1]
    const content = piece.slice(end + 4).replace(/\r\n$/, '')
    return [{ name: file === undefined ? name : `${name}: ${file}`, head, text: content }]
  })
  return parts.length > 0 ? parts : undefined
}

/** Sixteen bytes a row: place, digits, letters. */
export function hexRows(hex: string): string {
  const rows: string[] = []
  for (let at = 0; at < hex.length; at += 32) {
    const digits = hex.slice(at, at + 32).match(/../g) ?? []
    const letters = digits.map((pair) => {
      const code = Number.parseInt(pair, 16)
      return code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : '.'
    })
    const place = (at / 2).toString(16).padStart(6, '0')
    rows.push(`${place}  ${digits.join(' ').padEnd(47)}  ${letters.join('')}`)
  }
  return rows.join('\n')
}
