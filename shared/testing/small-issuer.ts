/**
 * A certificate authority for tests: it follows the test's clock, gives any life and any window of renewal, refuses
 * orders beyond its limits, and can be down, slow or find no proof. Its certificates are real, signed by its root.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import { certificateRequest, newCertificateKey } from '../base/csr.ts'
import { fail } from '../base/errors.ts'
import { altNames, authorityKey, keyOfRequest, signCertificate } from '../base/x509.ts'
import type {
  Authorization,
  Challenge,
  Issuer,
  IssuerAccount,
  IssuerLimits,
  Order,
  RenewalWindow,
} from '../control/certificates/role.ts'

const hourMs = 3_600_000
/** As Let's Encrypt publishes them. */
export const usualLimits: IssuerLimits = {
  orders: { max: 300, perMs: 3 * hourMs },
  domain: { max: 50, perMs: 7 * 24 * hourMs },
  set: { max: 5, perMs: 7 * 24 * hourMs },
  failures: { max: 5, perMs: hourMs },
}

type Made = {
  readonly hosts: readonly string[]
  readonly orderedAt: number
  /** It was named as the renewal of another, and counts for no limit. */
  readonly isRenewal: boolean
  issuedAt: number
  status: Order['status']
  isProven: boolean
  looks: number
  chain: string
}

const root = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const keyId = randomBytes(20)

export class SmallIssuer implements Issuer {
  readonly name: string
  readonly caa: readonly string[]
  readonly limits = usualLimits
  readonly #clock: Clock
  readonly #orders = new Map<string, Made>()
  lifeMs: number
  isDown = false
  /** How far the life of its certificates is from the present. */
  skewMs = 0
  /** How long it wants no order: above 0 it refuses each one. */
  pauseMs = 0
  /** Whether it finds the proofs. */
  isConvinced = true
  /** How often an order is read before it goes on. */
  slowness = 0
  /** Shares of the life at which the window begins and ends; undefined: it does not offer ARI. */
  window: readonly [number, number] | undefined
  /** The calls in order. */
  readonly calls: string[] = []

  constructor(options: { readonly name?: string; readonly clock: Clock; readonly lifeMs?: number }) {
    this.name = options.name ?? 'small'
    this.caa = [`${this.name}.test`]
    this.#clock = options.clock
    this.lifeMs = options.lifeMs ?? 90 * 24 * hourMs
  }

  get ordered(): number {
    return this.#orders.size
  }

  get issued(): number {
    return [...this.#orders.values()].filter(({ chain }) => chain !== '').length
  }

  async account(): Promise<string> {
    this.#note('account')
    return `https://${this.name}.test/account/1`
  }

  async order(
    _account: IssuerAccount,
    { hosts, replaces }: { readonly hosts: readonly string[]; readonly replaces?: string },
  ): Promise<Order> {
    this.#note('order')
    if (this.pauseMs > 0)
      throw fail('certificate.limited', 'later', { fields: { retryAfterMs: this.pauseMs } })
    const isRenewal = replaces !== undefined
    if (!isRenewal) this.#checkLimits(hosts)
    const url = `https://${this.name}.test/order/${this.#orders.size + 1}`
    const times = { orderedAt: this.#clock.now(), issuedAt: 0 }
    const made: Made = { hosts, ...times, isRenewal, status: 'pending', isProven: false, looks: 0, chain: '' }
    this.#orders.set(url, made)
    return this.#orderOf(url, made)
  }

  async readOrder(_account: IssuerAccount, url: string): Promise<Order> {
    this.#note('readOrder')
    const made = this.#find(url)
    if (made.status === 'pending' && made.isProven && made.looks++ >= this.slowness)
      made.status = this.isConvinced ? 'ready' : 'invalid'
    return this.#orderOf(url, made)
  }

  async authorization(_account: IssuerAccount, url: string): Promise<Authorization> {
    this.#note('authorization')
    const [order = '', index = '0'] = url.split('#')
    const made = this.#find(order)
    const host = (made.hosts[Number(index)] ?? '').replace(/^\*\./, '')
    const status = made.isProven ? 'processing' : 'pending'
    const challenges = ['http-01', 'dns-01'].map(
      (type): Challenge => ({ type, url: `${order}#${type}`, token: 'token', status }),
    )
    return { host, status: made.status === 'pending' ? 'pending' : 'valid', challenges }
  }

  /** The kinds of the proofs that it was told to look at. */
  readonly told: string[] = []

  async ready(_account: IssuerAccount, { url, type }: Challenge): Promise<void> {
    this.#note('ready')
    this.told.push(type)
    this.#find(url.split('#')[0] ?? '').isProven = true
  }

  async finalize(_account: IssuerAccount, { url }: Order, request: Buffer): Promise<Order> {
    this.#note('finalize')
    const made = this.#find(url)
    made.chain = this.#issue(made.hosts, request)
    made.issuedAt = this.#clock.now()
    made.status = 'valid'
    return this.#orderOf(url, made)
  }

  async download(_account: IssuerAccount, url: string): Promise<string> {
    this.#note('download')
    return this.#find(url).chain
  }

  async renewalWindow(): Promise<RenewalWindow | undefined> {
    this.#note('renewalWindow')
    const last = [...this.#orders.values()].findLast(({ chain }) => chain !== '')
    if (!this.window || !last) return undefined
    const { validFrom } = this
    const [from, to] = this.window
    return { start: validFrom + from * this.lifeMs, end: validFrom + to * this.lifeMs }
  }

  /** Validity of the last certificate. */
  validFrom = 0

  #note(call: string): void {
    this.calls.push(call)
    if (this.isDown) throw fail('certificate.issuer_down', `${this.name} is down.`)
  }

  #find(url: string): Made {
    const made = this.#orders.get(url)
    if (!made) throw fail('certificate.refused', `${this.name} knows no such order.`)
    return made
  }

  #orderOf(url: string, made: Made): Order {
    const authorizations = made.hosts.map((_, index) => `${url}#${index}`)
    const reason = made.status === 'invalid' ? { reason: 'the proof was not there' } : {}
    const done = made.status === 'valid' ? { certificate: url } : {}
    return { url, status: made.status, authorizations, finalize: url, ...reason, ...done }
  }

  #checkLimits(hosts: readonly string[]): void {
    const nowMs = this.#clock.now()
    const counted = [...this.#orders.values()].filter(({ isRenewal }) => !isRenewal)
    const { orders, set } = this.limits
    if (counted.filter(({ orderedAt }) => orderedAt > nowMs - orders.perMs).length >= orders.max)
      throw fail('certificate.limited', 'too many orders')
    const same = counted.filter(
      ({ hosts: others, issuedAt }) => issuedAt > nowMs - set.perMs && others.join() === hosts.join(),
    )
    if (same.length >= set.max) throw fail('certificate.limited', 'too many of the same names')
  }

  #issue(hosts: readonly string[], request: Buffer): string {
    this.validFrom = this.#clock.now() + this.skewMs
    const fields = {
      ...{ subject: '', issuer: '', spki: keyOfRequest(request) },
      ...{ from: this.validFrom, until: this.validFrom + this.lifeMs },
      extensions: [altNames(hosts), authorityKey(keyId)],
    }
    return signCertificate(fields, root.privateKey)
  }
}

/** A certificate for these hosts as at the end of an order, with its key. */
export async function issueAt(
  issuer: SmallIssuer,
  hosts: readonly string[],
): Promise<{ readonly chain: string; readonly key: string }> {
  const key = newCertificateKey()
  const account = { url: '', key }
  const order = await issuer.order(account, { hosts, replaces: 'any' })
  await issuer.finalize(account, order, certificateRequest(key, hosts))
  return { chain: await issuer.download(account, order.url), key: key.reveal() }
}
