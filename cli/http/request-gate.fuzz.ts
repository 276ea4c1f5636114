/**
 * Fuzz of the gate: what it lets through, llhttp reads as exactly those requests that the relay's scanner finds in the
 * input, in order, up to the first one without the password, and with nothing of what the agent was to change.
 *
 *   node cli/http/request-gate.fuzz.ts --cases 1000000 --seed 7
 */
import { isDeepStrictEqual, parseArgs } from 'node:util'
import type { RequestHead } from '@porttunneler/shared/http/head'
import { RequestScanner } from '@porttunneler/shared/http/scanner'
import { makeInput, makeRandom } from '@porttunneler/shared/http/scanner.corpus'
import type { Stream } from '@porttunneler/shared/mux/stream'
import { FakeClock } from '@porttunneler/shared/testing/fake-clock'
import { decodeChunks, knownMethods, Llhttp } from '@porttunneler/shared/testing/llhttp'
import { stagesOf } from './pipeline.ts'
import { RequestGate } from './request-gate.ts'
import { Guesses } from './stages/guesses.ts'
import { loginOf } from './stages/logins.ts'

type Request = { readonly method: string; readonly body: string }

const password = `Basic ${Buffer.from('alice:x').toString('base64')}`
const host = 'upstream.test:3000'

/** Some requests get the password, some a wrong one, some both, some a line that only looks like one. */
function addPasswords(input: Buffer, random: () => number): Buffer {
  const lines = [
    `Authorization: ${password}\r\n`,
    `authorization:${password.toUpperCase().replace('BASIC', 'basic')}\r\n`,
    `Authorization: ${password}\r\nAuthorization: ${password}\r\n`,
    `X-Authorization: ${password}\r\n`,
    `Authorization : ${password}\r\n`,
    '',
  ]
  const text = input.toString('latin1').replace(/^Host:/gim, (name) => {
    // Mostly right, so that complete sequences pass.
    const line = random() < 0.85 ? lines[0] : lines[Math.floor(random() * lines.length)]
    return `${line}${name}`
  })
  // llhttp refuses UTF-8 in a target, which the scanner accepts.
  return Buffer.from(text.replace(/[\x80-\xff]/g, 'e'), 'latin1')
}

/** The requests that may pass. */
function expectedOf(input: Buffer): { requests: Request[]; hasUpgrade: boolean } {
  const scanner = new RequestScanner()
  scanner.push(input)
  const requests: Request[] = []
  let head: RequestHead | undefined
  let body: Buffer[] = []
  const hasUpgrade = /\nupgrade/i.test(input.toString('latin1'))
  for (let event = scanner.next(); event; event = scanner.next()) {
    if (event.kind === 'refused') return { requests, hasUpgrade }
    if (event.kind === 'head') {
      // The slow, obvious reading of a head that is known to be well formed.
      const sent = event.bytes
        .toString('latin1')
        .split('\r\n')
        .filter((line) => /^authorization:/i.test(line))
        .map((line) => line.slice(14).trim())
      if (sent.length !== 1 || sent[0] !== password) return { requests, hasUpgrade }
      head = event
      body = []
    } else body.push(event.bytes)
    if (head && (event.kind === 'head' ? event.body === 0 : event.isLast))
      requests.push({ method: head.method, body: bodyOf(head, Buffer.concat(body).toString('latin1')) })
  }
  return { requests, hasUpgrade }
}

function bodyOf(head: RequestHead, text: string): string {
  return head.body === 'chunked' ? decodeChunks(text) : text
}

function passThroughGate(input: Buffer, random: () => number): Buffer {
  const passed: Buffer[] = []
  let consumed = 0
  const clock = new FakeClock()
  const nothing = () => {}
  const stream = {
    write: () => true,
    end: nothing,
    reset: nothing,
    upgraded: nothing,
    plain: nothing,
    consumed: (bytes: number) => {
      consumed += bytes
    },
  }
  const gate = new RequestGate(stream as unknown as Stream, {
    stages: stagesOf(
      { logins: [loginOf('alice:x')], host, origin: `http://${host}` },
      { guesses: new Guesses(clock), realm: 'fuzz' },
    ),
    clock,
    visitorAddress: '192.0.2.1',
    awaitsUpgrade: false,
    deliver: (bytes) => passed.push(Buffer.from(bytes)),
    finish: nothing,
    onAnswered: nothing,
    onOver: nothing,
  })
  for (let at = 0; at < input.length; ) {
    const next = at + 1 + Math.floor(random() * input.length)
    gate.onData(input.subarray(at, next))
    if (consumed > Math.min(next, input.length)) throw new Error('more was credited than came')
    at = next
  }
  gate.close()
  return Buffer.concat(passed)
}

/** What the upstream reads, and what of it the agent should have changed. */
async function readBy(llhttp: Llhttp, bytes: Buffer) {
  const read = await llhttp.read(bytes)
  const faults = read.requests.flatMap(({ headers }) => [
    ...(headers.host === host ? [] : [`Host ${headers.host}`]),
    ...(headers.authorization === undefined ? [] : [`Authorization ${headers.authorization}`]),
  ])
  return { requests: read.requests.map(({ method, body }): Request => ({ method, body })), faults }
}

/**
 * Runs `cases` generated inputs.
 * @throws with the input and both readings at the first difference
 */
export async function runCases({ seed, cases }: { readonly seed: number; readonly cases: number }) {
  const random = makeRandom(seed)
  const llhttp = new Llhttp()
  let accepted = 0
  for (let i = 0; i < cases; i++) {
    const input = addPasswords(makeInput(random), random)
    const { requests, hasUpgrade } = expectedOf(input)
    const passed = passThroughGate(input, random)
    // Node forgets what it has read after an Upgrade that nobody wants.
    if (hasUpgrade || requests.some(({ method }) => !knownMethods.has(method))) continue
    accepted += requests.length
    const read = await readBy(llhttp, passed)
    if (isDeepStrictEqual(read.requests, requests) && read.faults.length === 0) continue
    const report = {
      seed,
      case: i,
      input: input.toString('latin1'),
      passed: passed.toString('latin1'),
      requests,
      read,
    }
    throw new Error(`the upstream reads other requests: ${JSON.stringify(report)}`)
  }
  return { accepted }
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { cases: { type: 'string' }, seed: { type: 'string' } } })
  const seed = Number(values.seed ?? 1)
  const cases = Number(values.cases ?? 100_000)
  const { accepted } = await runCases({ seed, cases })
  process.stdout.write(
    `${cases} inputs, ${accepted} requests let in and read alike by llhttp (seed ${seed})\n`,
  )
}
