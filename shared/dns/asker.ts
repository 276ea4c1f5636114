/**
 * Questions to name servers within one look at a host. Answers are believed only with our id, our spelling of the name
 * (0x20) and from the asked address. Whatever a server does, a look ends: so many questions, bytes and seconds, and no
 * more. Strangers name these servers, so their addresses are public ones, and each zone and address is asked seldom.
 */
import { randomInt } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import type { AskingPace } from './asking-pace.ts'
import type { Exchange, Peer } from './exchange.ts'
import { type Answer, type DnsRecord, encodeQuestion, plain, type Question, readAnswer } from './message.ts'
import { isPublicAddress } from './public-addresses.ts'

export const askLimits = { questions: 60, bytes: 256 * 1024, questionMs: 2_000, lookMs: 15_000 } as const

/** What a server said of one name and type. */
export type Said =
  | {
      readonly kind: 'records'
      readonly records: readonly DnsRecord[]
      readonly authority: readonly DnsRecord[]
    }
  /** The name is there without such a record, or is not there at all. */
  | { readonly kind: 'none' | 'no_name'; readonly authority: readonly DnsRecord[] }
  /** It does not answer for the zone (no AA, REFUSED); it could not find out (SERVFAIL); nothing useful came. */
  | { readonly kind: 'lame' | 'failed' | 'silent' }

export type AskerOptions = {
  readonly exchange: Exchange
  readonly clock: Clock
  readonly pace: AskingPace
  /** Default: public addresses, at port 53. */
  readonly reach?: ((address: string) => Peer | undefined) | undefined
}

/** Where a server that a stranger named is asked. */
const reachPublic = (address: string): Peer | undefined =>
  isPublicAddress(address) ? { address, port: 53 } : undefined

/** One look's worth of questions. */
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

  /** Asks the server of a zone, which strangers named. */
  askServer(address: string, question: Question, zone: string): Promise<Said> {
    const { reach = reachPublic, pace, clock } = this.#options
    const peer = reach(address)
    if (peer === undefined || !pace.allows({ zone, address }, clock.monotonic()))
      return Promise.resolve({ kind: 'silent' })
    return this.#ask(peer, question, false)
  }

  /** Asks a resolver, which the operator named. */
  askResolver(resolver: Peer, question: Question): Promise<Said> {
    return this.#ask(resolver, question, true)
  }

  async #ask(peer: Peer, question: Question, recurse: boolean): Promise<Said> {
    const byUdp = await this.#exchange(peer, question, { recurse, protocol: 'udp' })
    // Cut short, or lost: some networks let no datagram out, and some servers change the spelling of what they repeat.
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
      // Refused, unreachable or late: to the look it is all the same, a server that says nothing.
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
  // A chain of aliases may end at a name that is not there: what it began with is.
  if (answers.length > 0) return { kind: 'records', records: answers, authority }
  return { kind: code === 'NXDOMAIN' ? 'no_name' : 'none', authority }
}

/** A forger would have to guess every letter's case (draft-vixie-dnsext-dns0x20). */
function mixCase(name: string): string {
  return name.replaceAll(/[a-z]/g, (letter) => (randomInt(2) === 0 ? letter : letter.toUpperCase()))
}
