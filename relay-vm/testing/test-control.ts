/** A control plane for relay tests, as a relay sees it: real keys, real tickets, hand-made answers. */
import { createHash } from 'node:crypto'
import type { Command, SyncAnswer, SyncRequest } from '@porttunneler/shared/api/schemas/relays'
import { fail } from '@porttunneler/shared/base/errors'
import { newId } from '@porttunneler/shared/base/ids'
import { limits } from '@porttunneler/shared/protocol/limits'
import { type TicketClaims, ticketType } from '@porttunneler/shared/protocol/ticket'
import { type WatchClaims, watchAudience, watchTicketType } from '@porttunneler/shared/protocol/watch-ticket'
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import type { Control } from '../platform/control.http.ts'

/** A policy that admits everybody. */
export const openPolicy = { allow: [], deny: [], connectionsMax: 1_000, connectionsPerMinute: 60_000 }

export const account = newId('acc', 1)
export const agent = newId('agt', 1)
const relay = newId('rel', 1)
const iss = 'https://control.test'

export type TestControl = Control & {
  /** Every sync that came, in order. */
  readonly requests: SyncRequest[]
  /** Sent with the next answer. */
  readonly commands: Command[]
  isDown: boolean
  isAcknowledging: boolean
  /** Usage rows that it will never accept. */
  refusing: ((row: SyncRequest['usage'][number]) => boolean) | undefined
  directory: string
  proxyNetworks: SyncAnswer['proxyNetworks']
  flags: SyncAnswer['flags']
  nowMs(): number
  /** Resolves with the next sync that `matches`, or an earlier one. */
  synced(matches: (request: SyncRequest) => boolean): Promise<SyncRequest>
  ticket(claims: Partial<TicketClaims> & Pick<TicketClaims, 'endpoint'>): Promise<string>
  watchTicket(of?: string, claims?: Partial<Pick<WatchClaims, 'iss' | 'exp'>>): Promise<string>
}

export async function makeTestControl({ portFrom = 1, portTo = 65_535 } = {}): Promise<TestControl> {
  const { privateKey, publicKey } = await generateKeyPair('EdDSA', { extractable: true })
  const jwk: JWK = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'EdDSA' }
  const waiting = new Set<{ matches: (r: SyncRequest) => boolean; resolve: (r: SyncRequest) => void }>()
  const sign = (claims: Record<string, unknown>, typ: string) =>
    new SignJWT({
      iss,
      iat: seconds(control.nowMs()),
      exp: seconds(control.nowMs() + limits.ticketMs),
      ...claims,
    })
      .setProtectedHeader({ alg: 'EdDSA', kid: 'k1', typ })
      .sign(privateKey)
  const answer = (request: SyncRequest): SyncAnswer => ({
    relay,
    now: Math.round(control.nowMs()),
    cell: { id: 'c1', host: 'tcp.test', domain: 'tunnels.test', portFrom, portTo },
    keys: { version: 1, jwks: { keys: [{ ...jwk }] }, issuer: iss },
    commands: control.commands.splice(0),
    cursor: `cursor-${control.requests.length}`,
    ...(control.isAcknowledging && request.report !== undefined && { acknowledged: request.report }),
    ...(control.refusing && { refused: refusedOf(request.usage, control.refusing) }),
    syncMs: limits.syncMs,
    directory: control.directory,
    ...(control.proxyNetworks && { proxyNetworks: control.proxyNetworks }),
    ...(control.flags && { flags: control.flags }),
  })
  const control: TestControl = {
    requests: [],
    commands: [],
    isDown: false,
    isAcknowledging: true,
    refusing: undefined,
    directory: 'as ever',
    proxyNetworks: undefined,
    flags: undefined,
    nowMs: () => Date.now(),
    async enrol({ key }) {
      if (key.reveal() !== 'pte_test') throw fail('relay.enrolment')
      return { relay, cell: 'c1', credential: 'ptc_test' }
    },
    async sync(request, credential) {
      if (credential.reveal() !== 'ptc_test') throw fail('relay.enrolment')
      if (control.isDown) throw fail('relay.control')
      const copy = structuredClone(request)
      control.requests.push(copy)
      for (const wait of waiting) if (wait.matches(copy)) wait.resolve(copy)
      return answer(copy)
    },
    synced(matches) {
      const found = control.requests.find(matches)
      if (found !== undefined) return Promise.resolve(found)
      return new Promise((resolve) => waiting.add({ matches, resolve }))
    },
    ticket: ({ endpoint, ...claims }) => sign({ ...claimsOf(endpoint), ...claims }, ticketType),
    watchTicket: (of = account, claims = {}) =>
      sign({ sub: of, aud: watchAudience('c1'), ...claims }, watchTicketType),
  }
  return control
}

/** The claims of an ordinary ticket for `endpoint`. */
export function claimsOf(endpoint: string): Omit<TicketClaims, 'iss' | 'iat' | 'exp'> {
  return {
    // One tunnel an endpoint, the same at every call.
    sub: `tun_${createHash('sha256').update(endpoint).digest('hex').slice(0, 26)}`,
    aud: 'c1',
    account,
    agent,
    kind: endpoint.startsWith('tcp:') ? 'tcp' : 'http',
    name: 'demo',
    endpoint,
    epoch: 100,
    plan: 'free',
    policy: openPolicy,
    policyVersion: 0,
  }
}

function refusedOf(rows: SyncRequest['usage'], matches: (row: SyncRequest['usage'][number]) => boolean) {
  return rows.flatMap((row, index) => (matches(row) ? [{ index, code: 'PT-5013' }] : []))
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000)
}
