/** What the page shows of a body: its kind by its first bytes and its Content-Type, and text where it is text. */
import { type Buffer, isUtf8 } from 'node:buffer'
import type { InspectedBody } from '@porttunneler/shared/api/schemas/inspection'
import { decodeBody } from './decode.ts'
import type { Message } from './entry.ts'

/** What a browser shows without being slow. */
const textBytesMax = 512_000
const hexBytesMax = 4_096

/** Pictures that cannot hold a program; an SVG can, and is shown as its text. */
const pictures: readonly (readonly [type: string, start: string, at: number])[] = [
  ['image/png', '89504e470d0a1a0a', 0],
  ['image/jpeg', 'ffd8ff', 0],
  ['image/gif', '47494638', 0],
  ['image/webp', '57454250', 8],
]

/** @returns the type of a picture by its first bytes, whatever it was called */
export function pictureType(bytes: Buffer): string | undefined {
  return pictures.find(([, start, at]) => bytes.toString('hex', at, at + start.length / 2) === start)?.[0]
}

export async function viewBody(message: Message): Promise<InspectedBody> {
  const { body } = message
  const kept = body.bytes
  const { bytes, isCut, codings, isBroken } = await decodeBody(kept, message.header('content-encoding'))
  const type = (message.header('content-type') ?? '').toLowerCase()
  const kind = kindOf(bytes, type)
  const isText = kind !== 'binary' && kind !== 'image' && kind !== 'empty'
  const shown = isText ? bytes.subarray(0, textBytesMax) : bytes.subarray(0, hexBytesMax)
  return {
    kind,
    type,
    bytes: bytes.length,
    codings,
    isBroken,
    isCut: isCut || kept.length < body.total || shown.length < bytes.length,
    text: isText ? shown.toString('utf8') : shown.toString('hex'),
  }
}

function kindOf(bytes: Buffer, type: string): InspectedBody['kind'] {
  if (bytes.length === 0) return 'empty'
  if (pictureType(bytes)) return 'image'
  if (!looksLikeText(bytes)) return type.startsWith('multipart/') ? 'multipart' : 'binary'
  if (/^[^;]*[/+]json\b/.test(type)) return 'json'
  if (type.startsWith('application/x-www-form-urlencoded')) return 'form'
  if (type.startsWith('multipart/')) return 'multipart'
  return /^\s*[[{]/.test(bytes.toString('utf8', 0, 64)) ? 'json' : 'text'
}

/** UTF-8 without the control characters that no text has; the last letter may be cut in two. */
function looksLikeText(bytes: Buffer): boolean {
  const part = bytes.subarray(0, textBytesMax)
  const whole = [0, 1, 2, 3].some((cut) => isUtf8(part.subarray(0, part.length - cut)))
  return (
    whole &&
    !part.subarray(0, 4_096).some((byte) => byte < 0x09 || (byte > 0x0d && byte < 0x20 && byte !== 0x1b))
  )
}
