/**
 * Hands requests through Google's framework as they came. It would read every body and decode every path before a
 * function is called, and answer what it cannot read with a page of its own; our answers are problem documents with a
 * code. Unread, a body also keeps the bytes that a signature was made for, and its length is limited while it comes.
 */
import { channel } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'

/** Node says each request here before any listener of the server sees it. */
const started = channel('http.server.request.start')

/** From now on, for every HTTP server of this process. @returns what ends it */
export function passRequestsThrough(): () => void {
  const onStart = (message: unknown) => {
    if (isRequestStart(message)) hideFromFramework(message.request)
  }
  started.subscribe(onStart)
  return () => void started.unsubscribe(onStart)
}

function isRequestStart(message: unknown): message is { readonly request: IncomingMessage } {
  return typeof message === 'object' && message !== null && 'request' in message
}

/** Functions read `rawHeaders` and the stream, which stay as they are. */
function hideFromFramework(request: IncomingMessage): void {
  delete request.headers['content-length']
  delete request.headers['transfer-encoding']
  if (request.url !== undefined) request.url = decodable(request.url)
}

/** A path that is not valid percent-encoding is taken literally: then a route says what is wrong with it. */
function decodable(url: string): string {
  try {
    // The bundler takes this call for one that does nothing, so what it gives has to be used.
    return decodeURIComponent(url) && url
  } catch {
    return url.replaceAll('%', '%25')
  }
}
