/**
 * Series of counts as text: rows with a fixed number of whole numbers, as variable-length integers (LEB128) in
 * base64url, without empty rows at the end. A silent hour of minutes is ''; a busy one has some hundred characters.
 */

/** The figures are one flat list, row after row. */
type PackedShape = { readonly width: number; readonly rows: number }

/** Seven bits a byte: 2^53 needs eight. */
const bytesPerNumberMax = 8

export function packCounts(figures: ArrayLike<number>, { width }: PackedShape): string {
  let end = figures.length
  while (end > 0 && figures[end - 1] === 0) end--
  const used = Math.ceil(end / width) * width
  const bytes: number[] = []
  for (let at = 0; at < used; at++) {
    let rest = figures[at] ?? 0
    while (rest >= 0x80) {
      bytes.push((rest % 0x80) | 0x80)
      rest = Math.floor(rest / 0x80)
    }
    bytes.push(rest)
  }
  return Buffer.from(bytes).toString('base64url')
}

/** @returns all rows, with zeros for missing ones; undefined for a text that `packCounts` does not produce */
export function unpackCounts(text: string, { width, rows }: PackedShape): number[] | undefined {
  const bytes = Buffer.from(text, 'base64url')
  const figures = new Array<number>(width * rows).fill(0)
  let place = 0
  let value = 0
  let scale = 1
  let length = 0
  for (const byte of bytes) {
    value += (byte & 0x7f) * scale
    scale *= 0x80
    length++
    if (length > bytesPerNumberMax || !Number.isSafeInteger(value) || place >= figures.length)
      return undefined
    if (byte >= 0x80) continue
    figures[place++] = value
    value = 0
    scale = 1
    length = 0
  }
  return length === 0 && place % width === 0 ? figures : undefined
}

/** The higher of both at each place: the sum of cumulative reports of one source, whatever their order. */
export function highestCounts(
  a: string | undefined,
  b: string | undefined,
  shape: PackedShape,
): string | undefined {
  if (a === undefined || a === b) return b
  if (b === undefined) return a
  const [left, right] = [unpackCounts(a, shape), unpackCounts(b, shape)]
  if (!left) return right && b
  return packCounts(
    left.map((figure, at) => Math.max(figure, right?.[at] ?? 0)),
    shape,
  )
}
