/**
 * A request of a tunnel that takes signed webhooks alone (`webhooks` in ptun.yaml): it is kept until it is whole,
 * checked, and then passed on byte for byte. What has no signature at all, or says that it is too long, is refused
 * before anything is kept.
 */
import { Buffer } from 'node:buffer'
import type { ErrorKey } from '@porttunneler/shared/base/errors'
import type { RequestHead } from '@porttunneler/shared/http/head'
import type { AskedRequest } from '../answers.ts'
import { HeadEdit } from '../head-edit.ts'
import type { Reply } from '../pipeline.ts'
import { ChunkedBody } from '../upstream-h2/chunked.ts'
import type { HeldLot, HeldRoom } from './held-room.ts'
import { signatureHeader, verdictOf, type WebhookRule } from './signatures.ts'

/** The signature that the requests of a tunnel must have. */
export type WebhookCheck = Omit<WebhookRule, 'path'> & {
  /** SHA-256 of the secret in hex: so that a changed file shows, as tunnels are compared as data. */
  readonly fingerprint: string
}

/** As sent, with chunk sizes and trailers. GitHub sends up to 25 MB, but nearly all webhooks are below 100 KB. */
export const webhookBytesMax = 1024 * 1024
/** For a sender that waits for it before its body. */
export const continueBytes = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n')

/** Keeps the requests of one visitor. */
export class WebhookKeeper {
  readonly #check: WebhookCheck
  readonly #room: HeldRoom
  readonly #path: readonly string[]

  /** @param whose the room that all visitors share, and the visitor's place in it (HeldRoom.lot) */
  constructor(check: WebhookCheck, whose: { readonly room: HeldRoom; readonly path: readonly string[] }) {
    this.#check = check
    this.#room = whose.room
    this.#path = whose.path
  }

  /** @param onRefused called when the request has to go because others need its space */
  hold(parts: HeldParts, onRefused: (reply: Reply) => void): HeldWebhook {
    const lot = this.#room.lot(this.#path, () => onRefused(busy))
    return new HeldWebhook(this.#check, parts, lot)
  }
}

/** A request, as it will be sent on. */
export type HeldParts = { readonly head: RequestHead; readonly edit: HeadEdit; readonly asked: AskedRequest }

export class HeldWebhook {
  readonly head: RequestHead
  readonly edit: HeadEdit
  readonly asked: AskedRequest
  readonly #check: WebhookCheck
  readonly #refusal: ErrorKey | undefined
  readonly #header: (name: string) => string | undefined
  /** Wrong signatures show only at the end, so what strangers have kept here is bounded for all of them. */
  readonly #lot: HeldLot
  /** Doubled when it is full, so that single bytes cost no more than long pieces. */
  #kept = Buffer.alloc(0)
  #length = 0
  /** The visitor waits for the word to send its body. */
  readonly mayContinue: boolean

  constructor(check: WebhookCheck, { head, edit, asked }: HeldParts, lot: HeldLot) {
    this.#check = check
    this.#lot = lot
    // The bytes of a head may be the scanner's.
    this.head = { ...head, bytes: Buffer.from(head.bytes) }
    this.edit = edit
    this.asked = asked
    const came = new HeadEdit(this.head.bytes)
    // Nobody knows which one of two values the program will read.
    this.#header = (name) => (came.values(name).length === 1 ? came.values(name)[0] : undefined)
    this.#refusal = this.#refusalOfHead()
    const waits = edit.values('expect').length > 0
    // Its answer is given here: the upstream sees the request only when all of it is there.
    if (waits) edit.remove('expect')
    this.mayContinue = waits && this.#refusal === undefined
  }

  #refusalOfHead(): ErrorKey | undefined {
    const { body, wantsUpgrade } = this.head
    // No signature covers what follows an Upgrade.
    if (wantsUpgrade || this.#header(signatureHeader(this.#check)) === undefined) return 'webhook.unsigned'
    return body !== 'chunked' && body > webhookBytesMax ? 'webhook.too_large' : undefined
  }

  /** The whole body as it came. */
  get body(): Buffer {
    return this.#kept.subarray(0, this.#length)
  }

  /**
   * @param bytes the next of the body
   * @returns an answer if the request goes no further
   */
  take(bytes: Buffer, isLast: boolean, nowMs: number): Reply | undefined {
    const key = this.#refusal ?? this.#keep(bytes) ?? (isLast ? this.#judge(nowMs) : undefined)
    if (key === undefined) return undefined
    return key === 'webhook.busy' ? busy : { kind: 'page', key }
  }

  #keep(bytes: Buffer): ErrorKey | undefined {
    const length = this.#length + bytes.length
    if (length > webhookBytesMax) return 'webhook.too_large'
    if (length > this.#kept.length) {
      const size = Math.min(webhookBytesMax, Math.max(length, 2 * this.#kept.length))
      if (!this.#lot.grow(size)) return 'webhook.busy'
      const kept = Buffer.allocUnsafeSlow(size)
      this.#kept.copy(kept, 0, 0, this.#length)
      this.#kept = kept
    }
    bytes.copy(this.#kept, this.#length)
    this.#length = length
    return undefined
  }

  #judge(nowMs: number): ErrorKey | undefined {
    const body = this.head.body === 'chunked' ? unchunked(this.body) : this.body
    const verdict = verdictOf(this.#check, { headers: { header: this.#header }, body, nowMs })
    if (verdict === 'valid') return undefined
    return verdict === 'old'
      ? 'webhook.late'
      : verdict === 'missing'
        ? 'webhook.unsigned'
        : 'webhook.signature'
  }

  /** Forgets the body; may be called more than once. */
  close(): undefined {
    this.#lot.free()
    this.#kept = Buffer.alloc(0)
    this.#length = 0
  }
}

const busy: Reply = { kind: 'page', key: 'webhook.busy', retryAfterSeconds: 10 }

/** The scanner has checked every byte of it. */
function unchunked(bytes: Buffer): Buffer {
  const parts: Buffer[] = []
  new ChunkedBody().take(bytes, (part) => parts.push(part))
  return Buffer.concat(parts)
}
