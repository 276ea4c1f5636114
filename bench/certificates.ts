/**
 * `npm run bench:certificates`: thousands of certificates known to a relay. Measures what they take in memory, as texts
 * and as the TLS contexts that a relay keeps of them, and what a visitor's name costs when its context is there (hit)
 * and when it must be made (miss). They are made beforehand and arrive as a relay gets them, a hundred an answer.
 *
 *   npm run bench:certificates -- --count 10000
 */
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Certificates } from '@porttunneler/relay-vm/certificates'
import { visitorCiphers } from '@porttunneler/relay-vm/listeners/tls'
import { certificateLimits } from '@porttunneler/relay-vm/policy/pools'
import type { RelayCertificate } from '@porttunneler/shared/api/schemas/relays'
import { sleep, systemClock } from '@porttunneler/shared/base/clock'
import { silentLog } from '@porttunneler/shared/base/log'
import { altNames, authorityKey, forServers, signCertificate } from '@porttunneler/shared/base/x509'
import { z } from 'zod'
import { readOptions } from '../e2e/harness/options.ts'

const dayMs = 86_400_000
/** Collected memory goes back to the system after a while. */
const settleMs = 2_000
const childFlag = 'PT_BENCH_CERTIFICATES'

const values = readOptions({
  name: 'bench:certificates',
  what: 'Thousands of certificates at one relay: memory, and the cost of a name whose TLS context is not there.',
  takes: 'Takes about a minute.',
  options: { count: { type: 'string', default: '10000', value: 'number', says: 'how many' } },
})
const count = z.coerce.number().int().min(100).max(certificateLimits.wishes).parse(values.count)

/** In a process of its own, because making certificates leaves much in a heap. */
function main(): void {
  const folder = mkdtempSync(join(tmpdir(), 'ptun-bench-'))
  try {
    writeCertificates(join(folder, 'made'))
    const args = ['--expose-gc', import.meta.filename, '--count', String(count)]
    execFileSync(process.execPath, args, { stdio: 'inherit', env: { ...process.env, [childFlag]: folder } })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const hostOf = (n: number) => `name-${n}.tunnels.example.com`

/** One a line, as long as those of a public authority: a leaf of P-256 under an intermediate of RSA 2048. */
function writeCertificates(path: string): void {
  const issuer = 'An authority for measurements'
  const { privateKey: issuerKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const times = { from: Date.now() - dayMs, until: Date.now() + 89 * dayMs }
  const keyId = Buffer.alloc(20, 7)
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey
  const spki = rsa.export({ type: 'spki', format: 'der' })
  const upper = { subject: issuer, issuer: 'A root', spki, ...times, extensions: [authorityKey(keyId)] }
  const above = signCertificate(upper, issuerKey)
  const file = openSync(path, 'wx')
  for (let n = 0; n < count; n++) {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const own = publicKey.export({ type: 'spki', format: 'der' })
    const extensions = [...forServers(), authorityKey(keyId), altNames([hostOf(n)])]
    const leaf = signCertificate({ subject: hostOf(n), issuer, spki: own, ...times, extensions }, issuerKey)
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    const line = { host: hostOf(n), hosts: [hostOf(n)], version: 1, chain: leaf + above, key }
    writeSync(file, `${JSON.stringify(line)}\n`)
  }
  closeSync(file)
}

async function measure(folder: string): Promise<void> {
  const answers = answersFrom(join(folder, 'made'))
  const certificates = await Certificates.load({
    ...{ clock: systemClock, log: silentLog, dataDir: join(folder, 'relay') },
    tls: { minVersion: 'TLSv1.2', ciphers: visitorCiphers },
    isServed: () => true,
  })
  certificates.start(async () => answers.next().value ?? [])
  await arrive(certificates, 0, 100)
  for (let n = 0; n < 100; n++) certificates.prepare(hostOf(n))
  const before = await residentMB()
  await arrive(certificates, 100, count)
  const texts = await residentMB()
  const missUs = timeOf(
    certificates,
    Array.from({ length: count }, (_, n) => n),
  )
  const all = await residentMB()
  const newest = Array.from({ length: certificateLimits.contexts }, (_, n) => count - 1 - n).filter(
    (n) => n >= 0,
  )
  const hitUs = timeOf(certificates, newest)
  certificates.close()
  const say = (mb: number) => `${mb.toFixed(0)} MB`
  process.stdout.write(
    `${count} certificates: texts ${say(texts - before)}, ${certificateLimits.contexts} contexts ${say(all - texts)}, ` +
      `together ${say(all - before)}\nCPU time for each name: hit ${hitUs.toFixed(1)} µs, miss ${missUs.toFixed(0)} µs\n`,
  )
}

async function arrive(certificates: Certificates, from: number, until: number): Promise<void> {
  certificates.tell('thumbprint')
  for (let n = from; n < until; n++) certificates.serve(hostOf(n))
  while (!certificates.covers(hostOf(until - 1))) await sleep(systemClock, 100)
}

/** What each question is answered with: the next hundred lines, in the order in which the names are asked for. */
function* answersFrom(path: string): Generator<readonly RelayCertificate[], undefined> {
  const file = openSync(path, 'r')
  const chunk = Buffer.alloc(64 * 1024)
  let lines: string[] = []
  let rest = ''
  for (let bytes = readSync(file, chunk); bytes > 0; bytes = readSync(file, chunk)) {
    const parts = (rest + chunk.toString('latin1', 0, bytes)).split('\n')
    rest = parts.pop() ?? ''
    lines = [...lines, ...parts]
    while (lines.length >= 100) yield lines.splice(0, 100).map((line) => JSON.parse(line) as RelayCertificate)
  }
}

/** In µs of CPU time for each, whatever else the machine does. */
function timeOf(certificates: Certificates, numbers: readonly number[]): number {
  const begin = process.cpuUsage()
  for (const n of numbers) certificates.contextOf(hostOf(n))
  const { user, system } = process.cpuUsage(begin)
  return (user + system) / numbers.length
}

async function residentMB(): Promise<number> {
  for (let times = 0; times < 3; times++) {
    globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    await sleep(systemClock, settleMs)
  }
  return process.memoryUsage.rss() / 1e6
}

const folder = process.env[childFlag]
await (folder === undefined ? main() : measure(folder))
