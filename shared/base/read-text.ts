/** Reads a whole answer as UTF-8, up to a maximum length, so that no stranger decides how much memory it takes. */
import type { Readable } from 'node:stream'

/** The same for an answer of `fetch`. Rejects when the text is longer than `bytesMax`. */
export async function readBody({ body }: Response, bytesMax: number): Promise<string> {
  if (body === null) return ''
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > bytesMax) throw new Error(`the answer is longer than ${bytesMax} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Rejects, and destroys the stream, when the text is longer than `bytesMax`. */
export function readText(stream: Readable, bytesMax: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    stream.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes > bytesMax) stream.destroy(new Error(`the answer is longer than ${bytesMax} bytes`))
    })
    stream.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
    stream.on('error', reject)
  })
}
