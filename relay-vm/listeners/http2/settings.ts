/**
 * What a visitor may do to one HTTP/2 connection. Node and nghttp2 keep these limits; who goes beyond them loses the
 * connection (GOAWAY), or the request. What one source may do over many connections is limited elsewhere: by its part
 * of the loop (source-shares.ts) and by a rate of requests that are taken back (policy/pools.ts).
 */
import type { ServerOptions } from 'node:http2'
import { limits } from '@porttunneler/shared/protocol/limits'

/** Browsers have up to 100 requests under way, and no reason for more. */
const streamsMax = 100
/** What a visitor may send of one body before it is read: 100 Mbit/s over 20 ms. */
export const windowBytes = 256 * 1024
/** When much memory is held: HTTP/2's own default. */
export const windowBytesTight = 64 * 1024

/** A browser that closes a page takes back all that is under way, and not more often than people click. */
const resetBurst = 200
const resetsPerSecond = 20

/** Node keeps this rate too, but closes only behind all that it has read, which may be thousands of requests. */
export class ResetRate {
  readonly #monotonic: () => number
  #left = resetBurst
  #atMs: number

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic
    this.#atMs = monotonic()
  }

  /** A request is taken back. @returns false: that is too often */
  take(): boolean {
    const nowMs = this.#monotonic()
    this.#left = Math.min(resetBurst, this.#left + ((nowMs - this.#atMs) * resetsPerSecond) / 1_000)
    this.#atMs = nowMs
    this.#left -= 1
    return this.#left >= 0
  }
}

/** @param isTight much memory is held */
export function sessionOptions(isTight: boolean): ServerOptions {
  return {
    settings: {
      maxConcurrentStreams: streamsMax,
      initialWindowSize: isTight ? windowBytesTight : windowBytes,
      // Twice what a head may have here, so that a head that is too long gets 431 and not only a reset.
      maxHeaderListSize: 2 * limits.requestHeadBytes,
      enablePush: false,
    },
    maxHeaderListPairs: 400,
    // An answer's head may be as long as on an HTTP/1.1 connection.
    maxSendHeaderBlockLength: 512 * 1024,
    maxSettings: 32,
    streamResetBurst: resetBurst,
    streamResetRate: resetsPerSecond,
    maxSessionInvalidFrames: 50,
    maxSessionRejectedStreams: 50,
    // Answers may repeat a field that should stand alone; they pass as on an HTTP/1.1 connection.
    strictSingleValueFields: false,
  }
}
