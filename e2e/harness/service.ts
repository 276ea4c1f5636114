/**
 * A running PortTunneler as the tests see it, wherever it runs: an API, an account, a way to reach endpoints. Functions
 * that only some platforms have (killing a relay, freezing the control plane) are optional, and tests name them.
 */
import { patienceMs } from './events.ts'
import type { Address } from './sockets.ts'

export type Service = {
  /** Origin of REST API and console. */
  readonly api: string
  readonly account: { readonly email: string; readonly password: string }
  /** An API key that may claim tunnels. */
  readonly key: string
  /** The demo tunnel, where there is one. */
  readonly demo?: { readonly http: string; readonly tcp: string }
  /** Where the name of an endpoint leads: tests do not depend on a resolver that knows `*.localhost`. */
  addressOf(host: string, port: number): Address
  /** The relays of its cell, where there are more than r1: an agent has a session to each. */
  readonly relays?: readonly string[]
  readonly faults: Faults
  /** Set where strangers may register and the operator's tool is at hand. */
  readonly people?: People
  stop(): Promise<void>
}

export type People = {
  /**
   * Registers a person, with a confirmed address if the platform requires one.
   * @param code where a new account needs one to ask for it
   * @returns a token of theirs
   */
  signUp(email: string, code?: string): Promise<string>
  /** Waits for a mail with this in its subject. @returns its text; undefined where mails go elsewhere */
  readonly mailTo?: (email: string, subject: string) => Promise<string>
  /** @returns what `ptunctl` prints */
  operator(...words: string[]): Promise<unknown>
}

export type Faults = {
  /** Kills a relay as a crash would and resolves once it is gone; its supervisor starts it again. */
  killRelay(): Promise<void>
  /** Stops the control plane's answers until the returned function is called. */
  freezeControlPlane(): () => void
}

export type StartService<S extends Service = Service> = () => Promise<S>

/** `tcp://host:port` and `http://host:port` alike. */
export function visitorAddress(service: Pick<Service, 'addressOf'>, url: string): Address {
  const { hostname, port, protocol } = new URL(url)
  const usual = protocol === 'https:' ? 443 : 80
  return service.addressOf(hostname, port === '' ? usual : Number(port))
}

/** A call of the REST API with an API key. Rejects unless the answer is one of 2xx. */
export async function callApi(
  service: Pick<Service, 'api'> & { readonly key: string },
  method: string,
  path: string,
  body?: unknown,
  deadlineMs = patienceMs,
): Promise<unknown> {
  const answer = await fetch(`${service.api}${path}`, {
    method,
    headers: { authorization: `Bearer ${service.key}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(deadlineMs),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
  return text === '' ? undefined : JSON.parse(text)
}
