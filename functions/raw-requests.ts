/**
 * Passes requests through Google's framework unchanged. Otherwise it would read every body and decode every path before
 * a function is called, and answer unreadable ones with its own page; our answers are problem documents with a code. An
 * unread body also keeps the exact bytes that were signed, and we limit its length while it arrives.
 */
import { channel } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'

/** Node announces each request here before any listener of the server sees it. */
const started = channel('http.server.request.start')

/** Applies to every HTTP server of this process from now on. @returns a function that ends it */
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

/** Functions read `rawHeaders` and the stream, which stay unchanged. */
function hideFromFramework(request: IncomingMessage): void {
  delete request.headers['content-length']
  delete request.headers['transfer-encoding']
  if (request.url !== undefined) request.url = decodable(request.url)
}

/** An invalid percent-encoding is taken literally; then a route says what is wrong with it. */
function decodable(url: string): string {
  try {
    // The bundler thinks that this call does nothing, so its result has to be used.
    return decodeURIComponent(url) && url
  } catch {
    return url.replaceAll('%', '%25')
  }
}
