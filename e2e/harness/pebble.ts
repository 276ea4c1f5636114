/** pebble, Let's Encrypt's own server for tests, with its own DNS server, on ports of their own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { makeSelfSigned } from '@porttunneler/relay-vm/self-signed'
import type { Dns } from '@porttunneler/shared/control/platform'
import { type Exchange, networkExchange, type Peer } from '@porttunneler/shared/dns/exchange'
import { freePorts } from '@porttunneler/shared/testing/ports'
import { programPath } from '../requirements.ts'
import { eventually } from './events.ts'
import { startProgram, textOf } from './programs.ts'

export type Pebble = {
  readonly directory: string
  /** PEM file with the root of its own API: for NODE_EXTRA_CA_CERTS of the programs that order. */
  readonly apiRoot: string
  /** Key and certificate of its API, for proxies before it. */
  readonly tls: { readonly key: string; readonly cert: string }
  /** PEM of the root under which it issues. */
  root(): Promise<string>
  /** TXT records, in its DNS server. */
  readonly records: Pick<Dns, 'put' | 'remove'>
  /** A CNAME, in its DNS server. */
  lead(name: string, target: string): Promise<void>
  /** How its DNS server is asked. */
  readonly asking: { readonly resolvers: readonly Peer[]; readonly exchange: Exchange }
  close(): Promise<void>
}

export type PebbleOptions = {
  /** Where it looks for HTTP-01: at loopback, whatever the name. */
  readonly httpPort: number
  /** The percentage of good nonces that it refuses. */
  readonly noncesRefused?: number
  /** It waits up to this long before it looks. */
  readonly sleepSeconds?: number
}

export async function startPebble({
  httpPort,
  noncesRefused = 0,
  sleepSeconds,
}: PebbleOptions): Promise<Pebble> {
  const folder = mkdtempSync(join(tmpdir(), 'ptun-pebble-'))
  const [port = 0, managing = 0, dns = 0, dnsManaging = 0] = await freePorts(4)
  // Roots with the same name are confused.
  const called = [`pebble-${port}`, 'localhost', '127.0.0.1']
  const { certificate: cert, key: secret } = await makeSelfSigned(called, Date.now())
  const tls = { cert, key: secret.reveal() }
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const apiRoot = file('api.crt', tls.cert)
  const settings = {
    listenAddress: `127.0.0.1:${port}`,
    managementListenAddress: `127.0.0.1:${managing}`,
    ...{ certificate: apiRoot, privateKey: file('api.key', tls.key), httpPort, tlsPort: 1 },
    ...{ ocspResponderURL: '', externalAccountBindingRequired: false },
  }
  const config = file('pebble.json', JSON.stringify({ pebble: settings }))
  trust(tls.cert)
  const off = ['-http01', '', '-https01', '', '-tlsalpn01', '', '-defaultIPv6', '']
  const names = await startProgram(programPath('pebbleNames'), [
    ...['-dns01', `127.0.0.1:${dns}`, '-management', `127.0.0.1:${dnsManaging}`, ...off],
  ])
  const words = ['-config', config, '-dnsserver', `127.0.0.1:${dns}`]
  const server = await startProgram(programPath('pebble'), words, {
    env: {
      PEBBLE_WFE_NONCEREJECT: `${noncesRefused}`,
      PEBBLE_AUTHZREUSE: '0',
      ...(sleepSeconds === undefined
        ? { PEBBLE_VA_NOSLEEP: '1' }
        : { PEBBLE_VA_SLEEPTIME: `${sleepSeconds}` }),
    },
  })
  const close = async () => {
    await Promise.all([server.stop(), names.stop()])
    rmSync(folder, { recursive: true, force: true })
  }
  const directory = `https://localhost:${port}/dir`
  const say = async (path: string, body: object) => {
    const answer = await fetch(`http://127.0.0.1:${dnsManaging}/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
    })
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`)
  }
  try {
    await eventually('pebble answers', async () => (await fetch(directory)).ok)
    await eventually('its names answer', () => say('clear-txt', { host: 'none.' }).then(() => true))
  } catch (cause) {
    await close()
    throw new Error(textOf(server, 'stdout') + textOf(server, 'stderr'), { cause })
  }
  return {
    ...{ directory, apiRoot, tls, close },
    root: async () => (await fetch(`https://localhost:${managing}/roots/0`)).text(),
    records: {
      put: (name, value) => say('set-txt', { host: `${name}.`, value }),
      remove: (name) => say('clear-txt', { host: `${name}.` }),
    },
    lead: (name, target) => say('set-cname', { host: `${name}.`, target: `${target}.` }),
    asking: { resolvers: [{ address: '127.0.0.1', port: dns }], exchange: exchangeInSmallLetters },
  }
}

/** Trusts the root in this process, in addition to the others. */
function trust(root: string): void {
  setDefaultCACertificates([...getCACertificates('default'), root])
}

/** Its DNS server finds names only as they were set, and ours are asked for in mixed case. */
const exchangeInSmallLetters: Exchange = (peer, message, { isAnswer, ...options }) => {
  const plain = Buffer.from(message)
  // The name begins after the header; lengths of labels are below the codes of letters.
  const end = plain.indexOf(0, 12)
  plain.set(Buffer.from(plain.toString('latin1', 12, end).toLowerCase(), 'latin1'), 12)
  const respelt = (answer: Uint8Array) => {
    const copy = Buffer.from(answer)
    copy.set(message.subarray(12, end), 12)
    return isAnswer(copy)
  }
  return networkExchange(peer, plain, { ...options, isAnswer: respelt })
}
