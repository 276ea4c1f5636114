/** The table of hostile inputs; hostile.ts sends them. */
import { FrameType } from '@porttunneler/shared/protocol/frames'
import { limits } from '@porttunneler/shared/protocol/limits'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { frame } from '../harness/raw-agent.ts'

export type ApiCase = {
  readonly name: string
  readonly status: number
  readonly request: {
    readonly method?: string
    readonly path: string
    readonly body?: string
    readonly headers?: Readonly<Record<string, string>>
  }
}

const claim = (body: unknown) => ({ method: 'POST', path: '/v1/leases', body: JSON.stringify(body) })
const agent = 'agt_00000000000000000000000000'

export const apiCases: readonly ApiCase[] = [
  { name: 'no token', status: 401, request: { path: '/v1/tunnels', headers: { authorization: '' } } },
  {
    name: 'a token of nobody',
    status: 401,
    request: { path: '/v1/tunnels', headers: { authorization: 'Bearer x' } },
  },
  {
    name: 'a token without a signature',
    status: 401,
    request: {
      path: '/v1/tunnels',
      headers: { authorization: 'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c3JfMSJ9.' },
    },
  },
  { name: 'a body that is not JSON', status: 400, request: { ...claim(0), body: '{"agent":' } },
  { name: 'a body of another shape', status: 400, request: claim({ agent, tunnels: 'all' }) },
  { name: 'a field that nobody knows', status: 400, request: claim({ agent, tunnels: [], admin: true }) },
  {
    name: 'a name that is no label',
    status: 400,
    request: claim({ agent, tunnels: [{ name: '../../etc', kind: 'http' }] }),
  },
  {
    name: 'a body that is too large',
    status: 413,
    request: { method: 'POST', path: '/v1/tunnels', body: JSON.stringify({ name: 'x'.repeat(3_000_000) }) },
  },
  { name: 'an id that is none', status: 400, request: { path: '/v1/tunnels/..%2F..%2Fusers' } },
  { name: "somebody else's id", status: 404, request: { path: `/v1/tunnels/tun_${'0'.repeat(26)}` } },
  { name: 'a cursor made by hand', status: 400, request: { path: '/v1/tunnels?cursor=e30.AAAA' } },
  { name: 'a page of a million', status: 400, request: { path: '/v1/tunnels?limit=1000000' } },
  { name: 'a path that nobody serves', status: 404, request: { path: '/v1/nothing' } },
]

export type RequestCase = {
  readonly name: string
  readonly status: number
  readonly bytes: (host: string) => string
  /** Paths of the good requests before the bad one. */
  readonly reaches?: readonly string[]
}

const post = (host: string, headers: string, body: string) =>
  `POST /echo HTTP/1.1\r\nhost: ${host}\r\n${headers}\r\n\r\n${body}`

export const requestCases: readonly RequestCase[] = [
  {
    name: 'a length and chunks at once',
    status: 400,
    bytes: (host) => post(host, 'content-length: 5\r\ntransfer-encoding: chunked', '0\r\n\r\n'),
  },
  {
    name: 'two lengths that differ',
    status: 400,
    bytes: (host) => post(host, 'content-length: 5\r\ncontent-length: 6', 'hello!'),
  },
  {
    name: 'a length with a sign',
    status: 400,
    bytes: (host) => post(host, 'content-length: +5', 'hello'),
  },
  {
    name: 'chunks that are not the last coding',
    status: 400,
    bytes: (host) => post(host, 'transfer-encoding: chunked, identity', '0\r\n\r\n'),
  },
  {
    name: 'a space before the colon',
    status: 400,
    bytes: (host) => post(host, 'content-length : 5', 'hello'),
  },
  { name: 'a folded line', status: 400, bytes: (host) => post(host, 'x-a: 1\r\n 2', '') },
  { name: 'a bare line feed', status: 400, bytes: (host) => `GET / HTTP/1.1\nhost: ${host}\n\n` },
  { name: 'a zero byte', status: 400, bytes: (host) => `GET / HTTP/1.1\r\nhost: ${host}\r\nx-a: \0\r\n\r\n` },
  { name: 'no host', status: 400, bytes: () => 'GET / HTTP/1.1\r\nx-a: 1\r\n\r\n' },
  {
    name: 'two hosts',
    status: 400,
    bytes: (host) => `GET / HTTP/1.1\r\nhost: ${host}\r\nhost: other\r\n\r\n`,
  },
  { name: 'noise', status: 400, bytes: () => `${'\x16\x03\x01'.repeat(20)}\r\n\r\n` },
  {
    name: 'a head without an end',
    status: 431,
    bytes: (host) => `GET / HTTP/1.1\r\nhost: ${host}\r\nx-a: ${'a'.repeat(70_000)}\r\n\r\n`,
  },
  { name: 'HTTP/2 without a handshake', status: 505, bytes: () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' },
  {
    name: 'another host on a kept connection',
    status: 421,
    bytes: (host) =>
      `GET /hello HTTP/1.1\r\nhost: ${host}\r\n\r\nGET /hello HTTP/1.1\r\nhost: other.localhost\r\n\r\n`,
    reaches: ['/hello'],
  },
  {
    name: 'a second request smuggled in the body of the first',
    status: 400,
    bytes: (host) =>
      post(host, 'content-length: 6\r\ntransfer-encoding: chunked', '0\r\n\r\nGET /hello HTTP/1.1\r\n\r\n'),
  },
]

export type FrameCase = { readonly name: string; readonly code: string; readonly send: Buffer }

const json = (type: number, body: unknown) => frame(type, Buffer.from(JSON.stringify(body)))
const tooLong = Buffer.from([FrameType.data, 0xff, 0xff, 0xff, 0, 0, 0, 1])

export const frameCases: readonly FrameCase[] = [
  { name: 'a frame of 16 MiB', code: 'PT-3001', send: tooLong },
  { name: 'an unknown type', code: 'PT-3002', send: frame(0x7f) },
  {
    name: 'an unknown type that may be skipped but is too long',
    code: 'PT-3001',
    send: Buffer.from('feffffff00000001', 'hex'),
  },
  { name: 'a PING of 7 bytes', code: 'PT-3003', send: frame(FrameType.ping, Buffer.alloc(7)) },
  { name: 'a BIND that is not JSON', code: 'PT-3003', send: frame(FrameType.bind, Buffer.from('{"bind')) },
  { name: 'a BIND of another shape', code: 'PT-3003', send: json(FrameType.bind, { bind: -1, ticket: 7 }) },
  { name: 'an OPEN by the agent', code: 'PT-3004', send: frame(FrameType.open, Buffer.alloc(26, '1')) },
  {
    name: 'DATA for a stream that was never opened',
    code: 'PT-3006',
    send: frame(FrameType.data, Buffer.alloc(20), 77),
  },
  {
    name: 'a flood of PING',
    code: 'PT-3008',
    send: Buffer.concat(
      Array.from({ length: limits.pingsPerMinute + 100 }, () => frame(FrameType.ping, Buffer.alloc(8))),
    ),
  },
]

export type TicketCase = {
  readonly name: string
  readonly forge: (ticket: string) => string | Promise<string>
}

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const parts = (ticket: string) => ticket.split('.') as [string, string, string]
const claimsOf = (ticket: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(parts(ticket)[1], 'base64url').toString())
const headerOf = (ticket: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(parts(ticket)[0], 'base64url').toString())

async function signedByAStranger(ticket: string): Promise<string> {
  const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519' })
  return new SignJWT(claimsOf(ticket))
    .setProtectedHeader({ ...headerOf(ticket), alg: 'EdDSA' })
    .sign(privateKey)
}

/** The key of the signature is the public key's own bytes: this works where a checker lets the header choose. */
async function signedByAPublicKey(ticket: string): Promise<string> {
  const { publicKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
  const { x = '' } = await exportJWK(publicKey)
  const secret = Buffer.concat([Buffer.from(x, 'base64url')])
  return new SignJWT(claimsOf(ticket)).setProtectedHeader({ ...headerOf(ticket), alg: 'HS256' }).sign(secret)
}

export const ticketCases: readonly TicketCase[] = [
  { name: 'no ticket', forge: () => '' },
  { name: 'a ticket that is noise', forge: () => 'a.b.c' },
  { name: 'alg none', forge: (ticket) => `${encode({ alg: 'none' })}.${parts(ticket)[1]}.` },
  { name: "a stranger's signature", forge: signedByAStranger },
  { name: 'a symmetric signature', forge: signedByAPublicKey },
  {
    name: "another tunnel's claims under a good signature",
    forge: (ticket) => {
      const [header, , signature] = parts(ticket)
      return `${header}.${encode({ ...claimsOf(ticket), endpoint: 'host:bank.example' })}.${signature}`
    },
  },
  {
    name: 'a longer life under a good signature',
    forge: (ticket) => {
      const [header, , signature] = parts(ticket)
      return `${header}.${encode({ ...claimsOf(ticket), exp: 4_000_000_000 })}.${signature}`
    },
  },
]
