/**
 * Takes the content codings off a body that was kept, when somebody looks at it. A small body may unpack to gigabytes,
 * so at most `decodedBytesMax` come out, in pieces, on the threads of zlib and never on the way of a connection.
 */
import { Buffer } from 'node:buffer'
import type { Transform } from 'node:stream'
import {
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
  constants as zlib,
} from 'node:zlib'

const decodedBytesMax = 4_000_000
/** More than two are no accident. */
const codingsMax = 2

export type Decoded = {
  readonly bytes: Buffer
  /** There would be more. */
  readonly isCut: boolean
  /** What was taken off, outermost first. */
  readonly codings: readonly string[]
  /** It is not in the coding that it says, or that is one that nobody knows. */
  readonly isBroken: boolean
}

const decoders: Readonly<Record<string, () => Transform>> = {
  gzip: () => createGunzip({ finishFlush: zlib.Z_SYNC_FLUSH }),
  'x-gzip': () => createGunzip({ finishFlush: zlib.Z_SYNC_FLUSH }),
  deflate: () => createInflate({ finishFlush: zlib.Z_SYNC_FLUSH }),
  br: () => createBrotliDecompress({ finishFlush: zlib.BROTLI_OPERATION_FLUSH }),
  zstd: () => createZstdDecompress({ finishFlush: zlib.ZSTD_e_flush }),
}

/** @param coding the value of Content-Encoding */
export async function decodeBody(bytes: Buffer, coding: string | undefined): Promise<Decoded> {
  const codings = (coding ?? '')
    .toLowerCase()
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '' && one !== 'identity')
    .reverse()
  if (codings.length > codingsMax) return { bytes, isCut: false, codings: [], isBroken: true }
  let result: Decoded = { bytes, isCut: false, codings: [], isBroken: false }
  for (const one of codings) {
    const make = Object.hasOwn(decoders, one) ? decoders[one] : undefined
    if (!make || result.isBroken) return { ...result, isBroken: true }
    const { out, isCut, isBroken } = await unpack(make(), result.bytes)
    // Nothing came out: it never was in that coding.
    if (isBroken && out.length === 0) return { ...result, isBroken: true }
    result = { bytes: out, isCut: isCut || result.isCut, codings: [...result.codings, one], isBroken }
  }
  return result
}

function unpack(
  decoder: Transform,
  bytes: Buffer,
): Promise<{ readonly out: Buffer; readonly isCut: boolean; readonly isBroken: boolean }> {
  const { promise, resolve } = Promise.withResolvers<{ out: Buffer; isCut: boolean; isBroken: boolean }>()
  const parts: Buffer[] = []
  let length = 0
  const finish = (isCut: boolean, isBroken: boolean) => {
    decoder.destroy()
    resolve({ out: Buffer.concat(parts, Math.min(length, decodedBytesMax)), isCut, isBroken })
  }
  decoder.on('data', (part: Buffer) => {
    parts.push(part)
    length += part.length
    if (length > decodedBytesMax) finish(true, false)
  })
  decoder.on('end', () => finish(false, false))
  decoder.on('error', () => finish(false, true))
  decoder.end(bytes)
  return promise
}
