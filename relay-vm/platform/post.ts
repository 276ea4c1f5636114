/**
 * A POST of JSON over node:http. The built-in `fetch` would load a second HTTP stack and a WebAssembly parser: 23 MB in
 * every relay for two calls a minute.
 */
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { readText } from '@porttunneler/shared/base/read-text'

export type Answer = { readonly status: number; readonly text: string }

export type PostOptions = {
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal
  /** A longer answer is an error. */
  readonly answerBytesMax: number
}

/** Redirects are returned like any other answer, because a credential must not travel to another server. */
export function post(
  url: URL,
  body: unknown,
  { headers, signal, answerBytesMax }: PostOptions,
): Promise<Answer> {
  const json = JSON.stringify(body)
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest
  const options = {
    method: 'POST',
    signal,
    headers: {
      ...headers,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(json),
    },
  }
  return new Promise((resolve, reject) => {
    const request = send(url, options, (response) => {
      readText(response, answerBytesMax).then(
        (text) => resolve({ status: response.statusCode ?? 0, text }),
        reject,
      )
    })
    request.on('error', reject)
    request.end(json)
  })
}
