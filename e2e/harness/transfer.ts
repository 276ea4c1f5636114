/** Large transfers, compared by hash. The bytes look random, are quick to make and are the same in each run. */
import { createCipheriv, createHash } from 'node:crypto'
import type { Readable, Writable } from 'node:stream'

const blockBytes = 256 * 1024

/** Writes `bytes` and ends; resolves to their SHA-256. Waits whenever the stream is full. */
export async function sendHashed(
  sink: Writable,
  { bytes, seed, end = true }: { bytes: number; seed: number; end?: boolean },
): Promise<string> {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16))
  const zeros = Buffer.alloc(blockBytes)
  const hash = createHash('sha256')
  for (let left = bytes; left > 0; ) {
    const block = cipher.update(left < blockBytes ? zeros.subarray(0, left) : zeros)
    left -= block.length
    hash.update(block)
    if (!sink.write(block)) await drained(sink)
  }
  if (end) sink.end()
  return hash.digest('hex')
}

/** Reads to the end, or `bytes` if given; resolves to the SHA-256 and the count. */
export function receiveHashed(
  source: Readable,
  { bytes = Number.POSITIVE_INFINITY }: { bytes?: number } = {},
): Promise<{ readonly sha256: string; readonly bytes: number }> {
  const hash = createHash('sha256')
  let seen = 0
  return new Promise((resolve, reject) => {
    const done = () => {
      source.off('data', onData)
      resolve({ sha256: hash.digest('hex'), bytes: seen })
    }
    const onData = (chunk: Buffer) => {
      hash.update(chunk)
      seen += chunk.length
      if (seen >= bytes) done()
    }
    source.on('data', onData)
    source.once('end', () => seen < bytes && done())
    source.once('error', reject)
    source.once('close', () => reject(new Error(`closed after ${seen} bytes`)))
  })
}

function drained(sink: Writable): Promise<void> {
  return new Promise((resolve, reject) => {
    const onDrain = () => {
      sink.off('close', onClose)
      resolve()
    }
    const onClose = () => {
      sink.off('drain', onDrain)
      reject(new Error('closed while it was full'))
    }
    sink.once('drain', onDrain)
    sink.once('close', onClose)
  })
}
