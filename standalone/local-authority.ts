/**
 * The certificate authority of a server that no public authority could certify: `npm run trust` makes it in the data
 * folder and tells this machine to trust it (trust.ts). Its root may certify only this server's own names and
 * addresses, so its key is worth nothing elsewhere. The server orders at it as at any other authority.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  X509Certificate,
} from 'node:crypto'
import { isIPv4 } from 'node:net'
import type { Clock } from '@porttunneler/shared/base/clock'
import { fail } from '@porttunneler/shared/base/errors'
import { Secret } from '@porttunneler/shared/base/secret'
import {
  altNames,
  authorityKey,
  forAuthority,
  forServers,
  keyOfRequest,
  signCertificate,
  subjectKey,
} from '@porttunneler/shared/base/x509'
import type {
  Certificates,
  Issuer,
  IssuerLimit,
  IssuerLimits,
  Order,
} from '@porttunneler/shared/control/certificates/role'
import { localIssuer } from '@porttunneler/shared/control/certificates/rules'
import { z } from 'zod'

const dayMs = 86_400_000
/** Nothing renews a root in the stores of other programs. */
const rootLifeMs = 10 * 365 * dayMs
const leafLifeMs = 30 * dayMs
/** For clocks that are behind. */
const backMs = 3_600_000
/** Certificates that wait to be downloaded; another request makes a lost one anew. */
const madeMax = 100

/** In the data folder. */
export const authorityFiles = { folder: 'ca', secret: 'authority.json', root: 'root.crt' } as const

const authoritySchema = z.object({
  version: z.literal(1),
  names: z.array(z.string().max(255)).min(1).max(110),
  /** PEM. */
  root: z.string().max(16_384),
  key: z
    .string()
    .max(8_192)
    .transform((text) => new Secret(text)),
})
export type Authority = Omit<z.output<typeof authoritySchema>, 'version'>

/** Makes one for these names, all names below them, and these addresses. */
export function makeAuthority(names: readonly string[], nowMs: number): Authority {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const id = keyIdOf(spki)
  // Two roots with one name confuse the stores of some programs.
  const subject = `PortTunneler local authority ${id.toString('hex').slice(0, 8)}`
  const root = signCertificate(
    {
      ...{ subject, issuer: subject, spki, from: nowMs - backMs, until: nowMs + rootLifeMs },
      extensions: [...forAuthority(names), subjectKey(id)],
    },
    privateKey,
  )
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  return { names: [...names], root, key: new Secret(key) }
}

export function writeAuthority({ names, root, key }: Authority): string {
  return `${JSON.stringify({ version: 1, names, root, key: key.reveal() }, null, 2)}\n`
}

/** @throws standalone.authority */
export function readAuthority(file: string, text: string): Authority {
  try {
    const { names, root, key } = authoritySchema.parse(JSON.parse(text))
    if (!new X509Certificate(root).checkPrivateKey(createPrivateKey(key.reveal())))
      throw new Error('the key is another')
    return { names, root, key }
  } catch (cause) {
    throw fail('standalone.authority', `${file} does not hold the local authority.`, { cause })
  }
}

/** The names and addresses for which it is made; all names below them are included. */
export function localNames(config: {
  readonly bind: string
  readonly host: string
  readonly domain: string
  readonly public: { readonly names: readonly string[] }
}): readonly string[] {
  const { bind, host, domain } = config
  const addresses = [bind, host, '127.0.0.1'].filter((name) => isIPv4(name) && name !== '0.0.0.0')
  const names = [domain, host, ...config.public.names].filter((name) => !isIPv4(name))
  return [...new Set([...names, ...addresses])]
}

/** Whether it may certify all of `names`. */
export function covers({ names: own }: Pick<Authority, 'names'>, names: readonly string[]): boolean {
  return names.every((name) => own.includes(name) || own.some((parent) => name.endsWith(`.${parent}`)))
}

/** The role `Certificates` with this authority alone. */
export function localCertificates(authority: Authority, clock: Clock): Certificates {
  return { issuers: [new LocalIssuer(authority, clock)], caa: async () => [], local: authority.names }
}

const unlimited: IssuerLimit = { max: 1_000_000, perMs: 3_600_000 }
const urlPrefix = 'local:'

/** It asks for no proof: whoever may order has this machine. */
class LocalIssuer implements Issuer {
  readonly name: string
  readonly caa = []
  readonly limits: IssuerLimits = {
    orders: unlimited,
    domain: unlimited,
    set: unlimited,
    failures: unlimited,
  }
  readonly #authority: Authority
  readonly #clock: Clock
  /** By the URL of the order. */
  readonly #made = new Map<string, string>()

  constructor(authority: Authority, clock: Clock) {
    this.#authority = authority
    this.#clock = clock
    const { fingerprint256 } = new X509Certificate(authority.root)
    this.name = `${localIssuer}${fingerprint256.replaceAll(':', '').slice(0, 12).toLowerCase()}`
  }

  async account(): Promise<string> {
    return urlPrefix
  }

  /** The URL has the names, so that an order outlives the process. */
  async order(_account: unknown, { hosts }: { readonly hosts: readonly string[] }): Promise<Order> {
    return this.#orderOf(`${urlPrefix}${this.#clock.now()}:${hosts.join()}`)
  }

  async readOrder(_account: unknown, url: string): Promise<Order> {
    return this.#orderOf(url)
  }

  async authorization(): Promise<never> {
    throw fail('certificate.refused', 'The local authority asks for no proof.')
  }

  async ready(): Promise<void> {}

  async finalize(_account: unknown, { url }: Order, request: Buffer): Promise<Order> {
    const hosts = url.split(':')[2]?.split(',') ?? []
    if (!covers(this.#authority, hosts))
      throw fail(
        'certificate.refused',
        `The local authority is for ${this.#authority.names.join(', ')} alone.`,
      )
    this.#made.set(
      url,
      issueLeaf(this.#authority, { hosts, spki: keyOfRequest(request), nowMs: this.#clock.now() }),
    )
    const [oldest] = this.#made.keys()
    if (this.#made.size > madeMax && oldest !== undefined) this.#made.delete(oldest)
    return this.#orderOf(url)
  }

  async download(_account: unknown, url: string): Promise<string> {
    const chain = this.#made.get(url)
    this.#made.delete(url)
    if (chain === undefined) throw fail('certificate.issuer_down', 'The certificate is to be made again.')
    return chain
  }

  async renewalWindow(): Promise<undefined> {
    return undefined
  }

  #orderOf(url: string): Order {
    const isMade = this.#made.has(url)
    const common = { url, authorizations: [], finalize: url }
    return isMade ? { ...common, status: 'valid', certificate: url } : { ...common, status: 'ready' }
  }
}

type Leaf = { readonly hosts: readonly string[]; readonly spki: Buffer; readonly nowMs: number }

/** @returns PEM, without the root, which clients have */
export function issueLeaf({ root, key }: Authority, { hosts, spki, nowMs }: Leaf): string {
  const privateKey = createPrivateKey(key.reveal())
  const id = keyIdOf(createPublicKey(privateKey).export({ type: 'spki', format: 'der' }))
  const issuer = new X509Certificate(root).subject.replace(/^CN=/, '')
  const fields = {
    ...{ subject: '', issuer, spki, from: nowMs - backMs, until: nowMs + leafLifeMs },
    extensions: [...forServers(), altNames(hosts, 'critical'), authorityKey(id)],
  }
  return signCertificate(fields, privateKey)
}

function keyIdOf(spki: Buffer): Buffer {
  return createHash('sha256').update(spki).digest().subarray(0, 20)
}
