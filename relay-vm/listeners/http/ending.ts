/** The ways in which a visitor's connection ends, once nothing more from it is passed on. */
import type { Clock } from '@porttunneler/shared/base/clock'
import { codes, type ErrorKey } from '@porttunneler/shared/base/errors'
import type { RequestHead } from '@porttunneler/shared/http/head'
import { renderPage } from '@porttunneler/shared/http/pages'
import type { RequestScanner } from '@porttunneler/shared/http/scanner'
import type { VisitorTimers } from '@porttunneler/shared/http/visitor-timers'
import { abort, resetBehind } from '@porttunneler/shared/mux/last-words'
import type { Calls } from './calls.ts'
import type { HttpVisitorDeps, HttpVisitorOptions } from './deps.ts'
import { bidFarewell } from './farewell.ts'
import type { VisitorReading } from './reading.ts'

export type EndingParts = {
  readonly reading: VisitorReading
  readonly scanner: RequestScanner
  readonly calls: Calls
  readonly timers: VisitorTimers
}

export class Ending {
  readonly #visitor: HttpVisitorOptions
  readonly #clock: Clock
  readonly #deps: HttpVisitorDeps
  readonly #parts: EndingParts

  constructor(visitor: HttpVisitorOptions, deps: HttpVisitorDeps, parts: EndingParts) {
    const { clock, log } = deps
    this.#visitor = visitor
    this.#deps = deps
    this.#clock = clock
    this.#parts = parts
    const { address } = visitor.origin
    visitor.socket.on('error', (err) => log.debug({ err, visitor: address }, 'A visitor connection failed'))
  }

  /** Writes an answer of ours behind all others. */
  write(key: ErrorKey, head: RequestHead | undefined): void {
    const { calls, scanner } = this.#parts
    const { abuseUrl, httpsPort } = this.#deps
    // A refused head is still unread: it is enough to see whether a person or a program is asking.
    const bytes = head?.bytes ?? scanner.take()
    const fields =
      key === 'http.https_only' && head ? [`Location: ${calls.secureUrl(head, httpsPort())}`] : []
    this.#visitor.socket.write(renderPage(key, { bytes, host: head?.host, abuseUrl, fields }))
  }

  /**
   * Ends in order: what was written goes out, and what the visitor still sends is read and dropped for a while, because
   * a reset would destroy the answer before it is read.
   */
  finish(): void {
    this.#readOn()
    this.#parts.timers.awaitEnd(bidFarewell(this.#visitor.socket, this.#clock))
  }

  /**
   * The answer ends in the middle: the visitor gets the part that there is, then a reset, which shows that it is
   * incomplete.
   */
  cut(key: ErrorKey): void {
    const { socket, tls } = this.#visitor
    this.#readOn()
    // The relay needs its memory back at once.
    if (key === 'relay.memory' || key === 'stream.memory') abort(socket, tls?.raw)
    else resetBehind(socket, this.#clock, tls?.raw)
  }

  #readOn(): void {
    const { reading, scanner, timers } = this.#parts
    timers.clear()
    scanner.take()
    reading.setFull(false)
    reading.setHeld(false)
  }
}

/** A failure behind the relay is not the visitor's fault: no 4xx, whatever key agent and relay use. */
export function blameless(key: ErrorKey): ErrorKey {
  return codes[key].http >= 500 || key === 'http.body_deadline' ? key : 'stream.aborted'
}
