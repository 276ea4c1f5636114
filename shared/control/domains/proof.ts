/**
 * The proof that the owner of a host puts into its zone. The token follows from account, host and claim, so it proves
 * nothing for another account, another host, or a deleted claim: a record left behind helps nobody.
 */
import { createHash, createHmac } from 'node:crypto'
import type { Control } from '../control.ts'
import { serviceSecret } from '../service-secrets.ts'
import type { DomainDoc } from './domain-documents.ts'
import type { Expected } from './verdict.ts'

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'
const tokenLength = 26

/** Used in documents' ids, which are too short for some hosts. */
export function domainId(account: string, host: string): string {
  return `${account}:${base32(createHash('sha256').update(host).digest()).slice(0, tokenLength)}`
}

type Claimed = Pick<DomainDoc, 'account' | 'host' | 'claim'>

/** The proof of a claim, for any target of its CNAME. @param cellDomains of every open cell */
export async function proofOf(
  control: Pick<Control, 'store' | 'vault'>,
  claimed: Claimed,
  cellDomains: readonly string[],
): Promise<Pick<Expected, 'text' | 'targets'> & { readonly token: string }> {
  const secret = await serviceSecret(control, 'domains')
  const { account, host, claim } = claimed
  const digest = createHmac('sha256', secret.reveal()).update(`${account}\n${host}\n${claim}`).digest()
  const token = base32(digest).slice(0, tokenLength)
  return { token, text: `ptun1=${token}`, targets: cellDomains.map((domain) => targetUnder(token, domain)) }
}

/** Every name under a cell's domain leads to its relays, so it needs no record. */
export function targetUnder(token: string, cellDomain: string): string {
  return `${token}.to.${cellDomain}`
}

function base32(bytes: Uint8Array): string {
  let text = ''
  let bits = 0
  let value = 0
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff
    bits += 8
    for (; bits >= 5; bits -= 5) text += alphabet[(value >> (bits - 5)) & 31]
  }
  return text
}
