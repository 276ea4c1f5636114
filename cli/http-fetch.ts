/**
 * The little of `fetch` that the API client needs, over node:http: the built-in one brings a second HTTP stack and a
 * WebAssembly parser along, 23 MB that every running agent would carry for two calls an hour.
 */
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Fetch } from '@porttunneler/shared/api/client-call'
import { readText } from '@porttunneler/shared/base/read-text'

/** The longest answer is a page of 100 tunnels, some 100 KiB. */
const answerBytesMax = 8 * 1024 * 1024

/** Redirects are errors, as `redirect: 'error'` asks: the key must not travel to where it was not meant for. */
export const httpFetch: Fetch = async (url, { method, headers, body, signal }) => {
  const text = body instanceof Blob ? await body.text() : body?.toString()
  const type = body instanceof Blob ? body.type : 'application/x-www-form-urlencoded;charset=UTF-8'
  return new Promise((resolve, reject) => {
    const send = url.startsWith('https:') ? httpsRequest : httpRequest
    const options = {
      method,
      signal,
      headers: {
        ...headers,
        ...(text !== undefined && { 'content-type': type, 'content-length': Buffer.byteLength(text) }),
      },
    }
    const request = send(url, options, (response) => {
      const status = response.statusCode ?? 0
      if (status >= 300 && status < 400) {
        response.destroy()
        reject(new Error(`redirected to ${response.headers.location ?? 'nowhere'}`))
        return
      }
      resolve({
        status,
        headers: { get: (name) => response.headersDistinct[name.toLowerCase()]?.join(', ') ?? null },
        text: () => readText(response, answerBytesMax),
      })
    })
    request.on('error', reject)
    request.end(text)
  })
}
