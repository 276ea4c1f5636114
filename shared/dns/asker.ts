/**
 * Asks name servers within one look at a host. It believes only answers with our id, our spelling of the name (0x20),
 * and from the asked address. Every look is bounded in questions, bytes and seconds, whatever a server does. Strangers
 * name these servers, so their addresses must be public, and each zone and address is asked seldom.
 */
import { randomInt } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import { isPublicAddress } from '../base/public-addresses.ts'
import type { AskingPace } from './asking-pace.ts'
import type { Exchange, Peer } from './exchange.ts'
import { type Answer, type DnsRecord, encodeQuestion, plain, type Question, readAnswer } from './message.ts'

export const askLimits = { questions: 60, bytes: 256 * 1024, questionMs: 2_000, lookMs: 15_000 } as const

/** A server's answer for one name and type. */
export type Said =
  | {
      readonly kind: 'records'
      readonly records: readonly DnsRecord[]
      readonly authority: readonly DnsRecord[]
    }
  /** The name exists without such a record, or does not exist at all. */
  | { readonly kind: 'none' | 'no_name'; readonly authority: readonly DnsRecord[] }
  /** The server does not serve the zone (no AA, REFUSED); it could not find out (SERVFAIL); nothing useful came. */
  | { readonly kind: 'lame' | 'failed' | 'silent' }

export type AskerOptions = {
  readonly exchange: Exchange
  readonly clock: Clock
  readonly pace: AskingPace
  /** Default: public addresses, at port 53. */
  readonly reach?: ((address: string) => Peer | undefined) | undefined
}

/** How a server that a stranger named is reached. */
const reachPublic = (address: string): Peer | undefined =>
  isPublicAddress(address) ? { address, port: 53 } : undefined

/** The questions of one look. */
export class Asker {
  readonly #options: AskerOptions
  readonly #deadline: AbortSignal
  #questions = 0
  #bytes = 0

  /** @param deadline ends the whole look */
  constructor(options: AskerOptions, deadline: AbortSignal) {
    this.#options = options
    this.#deadline = deadline
  }

  /** Asks the server of a zone; strangers name it. */
  askServer(address: string, question: Question, zone: string): Promise<Said> {
    const { reach = reachPublic, pace, clock } = this.#options
    const peer = reach(address)
    if (peer === undefined || !pace.allows({ zone, address }, clock.monotonic()))
      return Promise.resolve({ kind: 'silent' })
    return this.#ask(peer, question, false)
  }

  /** Asks a resolver; the operator names it. */
  askResolver(resolver: Peer, question: Question): Promise<Said> {
    return this.#ask(resolver, question, true)
  }

  async #ask(peer: Peer, question: Question, recurse: boolean): Promise<Said> {
    const byUdp = await this.#exchange(peer, question, { recurse, protocol: 'udp' })
    // Truncated, or lost: some networks let no datagram out, and some servers change the spelling of the name they
    // repeat.
    const answer =
      byUdp === undefined || byUdp.isTruncated
        ? await this.#exchange(peer, question, { recurse, protocol: 'tcp' })
        : byUdp
    return answer === undefined || answer.isTruncated ? { kind: 'silent' } : said(answer, recurse)
  }

  async #exchange(
    peer: Peer,
    { name, type }: Question,
    { recurse, protocol }: { readonly recurse: boolean; readonly protocol: 'udp' | 'tcp' },
  ): Promise<Answer | undefined> {
    if (this.#deadline.aborted || this.#questions >= askLimits.questions) return undefined
    if (this.#bytes >= askLimits.bytes) return undefined
    this.#questions += 1
    const id = randomInt(0x1_0000)
    const spelt = mixCase(name)
    const isOurs = (answer: Answer) =>
      answer.id === id &&
      (protocol === 'udp' ? answer.question === spelt : plain(answer.question) === plain(name))
    let found: Answer | undefined
    const isAnswer = (message: Uint8Array) => {
      this.#bytes += message.length
      const answer = readAnswer(message)
      if (answer && isOurs(answer)) found = answer
      return found !== undefined || this.#bytes >= askLimits.bytes
    }
    const abort = new AbortController()
    const timer = this.#options.clock.after(askLimits.questionMs, () =>
      abort.abort(new Error('no answer in time')),
    )
    const signal = AbortSignal.any([this.#deadline, abort.signal])
    try {
      await this.#options.exchange(peer, encodeQuestion({ name: spelt, type }, id, recurse), {
        protocol,
        signal,
        isAnswer,
      })
      return found
    } catch {
      // Refused, unreachable or late: for the look it is all the same, a silent server.
      return undefined
    } finally {
      timer.clear()
    }
  }
}

function said({ code, isAuthoritative, answers, authority }: Answer, recurse: boolean): Said {
  if (code === 'REFUSED' || code === 'NOTAUTH') return { kind: 'lame' }
  if (code !== 'NOERROR' && code !== 'NXDOMAIN') return { kind: 'failed' }
  if (!recurse && !isAuthoritative) return { kind: 'lame' }
  // A chain of aliases may end at a name that does not exist, but the first name does exist.
  if (answers.length > 0) return { kind: 'records', records: answers, authority }
  return { kind: code === 'NXDOMAIN' ? 'no_name' : 'none', authority }
}

/** A forger would have to guess the case of every letter (draft-vixie-dnsext-dns0x20). */
function mixCase(name: string): string {
  return name.replaceAll(/[a-z]/g, (letter) => (randomInt(2) === 0 ? letter : letter.toUpperCase()))
}
