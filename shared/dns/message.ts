/**
 * DNS messages for the asker: it encodes one question and reads one answer. Any bytes give either an `Answer` or
 * undefined; nothing throws, loops or grows beyond one message of 64 KiB. RFC 1035, RFC 6891 (EDNS).
 */
import { Buffer } from 'node:buffer'
import { AUTHORITATIVE_ANSWER, decode, encode, type Answer as Packed, RECURSION_DESIRED } from 'dns-packet'

export const recordTypes = ['A', 'AAAA', 'CNAME', 'TXT', 'NS', 'SOA', 'CAA'] as const
export type RecordType = (typeof recordTypes)[number]

/** `value` is text for every type: an address, a name, the joined parts of a TXT, `tag value` of a CAA. */
export type DnsRecord = { readonly name: string; readonly type: RecordType; readonly value: string }

export type Answer = {
  readonly id: number
  /** As the server spelled it, case included. */
  readonly question: string
  readonly code: string
  readonly isAuthoritative: boolean
  readonly isTruncated: boolean
  readonly answers: readonly DnsRecord[]
  readonly authority: readonly DnsRecord[]
}

/** Fits every path without fragments, by the DNS flag day of 2020. */
const udpBytes = 1_232
/** Further records of an answer are ignored: nobody needs them, and they are compared one by one. */
const recordsMax = 500
const truncated = 1 << 9

export type Question = { readonly name: string; readonly type: RecordType }

/** @param recurse for a resolver, never for the server that has the zone */
export function encodeQuestion({ name, type }: Question, id: number, recurse: boolean): Buffer {
  return encode({
    type: 'query',
    id,
    flags: recurse ? RECURSION_DESIRED : 0,
    questions: [{ name, type, class: 'IN' }],
    additionals: [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: udpBytes,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [],
      },
    ],
  })
}

/** @returns undefined for bytes that are not an answer to one question */
export function readAnswer(bytes: Uint8Array): Answer | undefined {
  try {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const packet = decode(buffer)
    const [question, ...more] = packet.questions ?? []
    if (packet.type !== 'response' || question === undefined || more.length > 0) return undefined
    const flags = packet.flags ?? 0
    return {
      id: packet.id ?? 0,
      question: question.name,
      // The decoder sets it, but its types lack it.
      code: (packet as { readonly rcode?: string }).rcode ?? '',
      isAuthoritative: (flags & AUTHORITATIVE_ANSWER) !== 0,
      isTruncated: (flags & truncated) !== 0,
      answers: readRecords(packet.answers),
      authority: readRecords(packet.authorities),
    }
  } catch {
    return undefined
  }
}

/** Names in small letters, without a final dot. */
export function plain(name: string): string {
  return name.toLowerCase().replace(/\.$/, '')
}

function readRecords(packed: readonly Packed[] = []): readonly DnsRecord[] {
  return packed.slice(0, recordsMax).flatMap((record): readonly DnsRecord[] => {
    const value = textOf(record)
    const type = recordTypes.find((one) => one === record.type)
    return value === undefined || type === undefined ? [] : [{ name: plain(record.name), type, value }]
  })
}

function textOf(record: Packed): string | undefined {
  switch (record.type) {
    case 'A':
    case 'AAAA':
      return record.data
    case 'CNAME':
    case 'NS':
      return plain(record.data)
    case 'SOA':
      return plain(record.data.mname)
    case 'TXT':
      return joined(record.data)
    case 'CAA':
      return `${record.data.tag} ${record.data.value}`
    default:
      return undefined
  }
}

/** A text comes in parts of at most 255 bytes (RFC 7208, 3.3 joins them without a space, and so does everybody). */
function joined(data: string | Buffer | readonly (string | Buffer)[]): string {
  const parts = Array.isArray(data) ? (data as readonly (string | Buffer)[]) : [data as string | Buffer]
  return parts.map((part) => (typeof part === 'string' ? part : part.toString('latin1'))).join('')
}
