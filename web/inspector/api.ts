/** Calls of the inspector's own API, on the address that the page came from. */
import type {
  InspectedBody,
  InspectedConnection,
  InspectedDetail,
  InspectedFrame,
  InspectedPage,
  InspectorAbout,
  ReplayAnswer,
  ReplayWish,
} from '@porttunneler/shared/api/schemas/inspection'
import { ApiFailure } from '../api/failure.ts'

export type Side = 'request' | 'answer'
export type Filter = {
  readonly tunnel?: string
  readonly status?: string
  readonly path?: string
  readonly header?: string
  readonly body?: string
  readonly pinned?: string
}

const pageSize = '100'

export class InspectorApi {
  readonly #token: string

  constructor(token: string) {
    this.#token = token
  }

  about(): Promise<InspectorAbout> {
    return this.#get('/api/about')
  }

  /** The address of what the browser itself asks for: pictures, downloads, live changes. */
  address(path: string): string {
    return `${path}${path.includes('?') ? '&' : '?'}token=${encodeURIComponent(this.#token)}`
  }

  list(filter: Filter, before?: number): Promise<InspectedPage> {
    const query = new URLSearchParams({
      ...filter,
      limit: pageSize,
      ...(before && { before: String(before) }),
    })
    return this.#get(`/api/requests?${query}`)
  }

  detail(id: number): Promise<InspectedDetail> {
    return this.#get(`/api/requests/${id}`)
  }

  body(id: number, of: Side): Promise<InspectedBody> {
    return this.#get(`/api/requests/${id}/body?of=${of}`)
  }

  frames(id: number): Promise<{ readonly frames: readonly InspectedFrame[]; readonly total: number }> {
    return this.#get(`/api/requests/${id}/frames`)
  }

  connections(): Promise<{ readonly connections: readonly InspectedConnection[] }> {
    return this.#get('/api/connections')
  }

  async copyText(id: number, as: 'curl' | 'fetch' | 'har'): Promise<string> {
    return await (await this.#call('GET', `/api/requests/${id}/copy?as=${as}`)).text()
  }

  replay(id: number, wish: ReplayWish): Promise<ReplayAnswer> {
    return this.#send('POST', `/api/requests/${id}/replay`, wish)
  }

  /** The last request of a visitor, of one tunnel or of all. */
  async resendLast(tunnel: string | undefined): Promise<number | undefined> {
    const { ids } = await this.#send<ReplayAnswer>('POST', '/api/resend-last', tunnel ? { tunnel } : {})
    return ids[0]
  }

  pin(id: number, pinned: boolean): Promise<InspectedDetail> {
    return this.#send('POST', `/api/requests/${id}/pin`, { pinned })
  }

  clear(): Promise<object> {
    return this.#send('DELETE', '/api/requests')
  }

  async #get<T>(path: string): Promise<T> {
    return (await (await this.#call('GET', path)).json()) as T
  }

  async #send<T>(method: string, path: string, body?: object): Promise<T> {
    return (await (await this.#call(method, path, body)).json()) as T
  }

  async #call(method: string, path: string, body?: object): Promise<Response> {
    let answer: Response
    try {
      answer = await fetch(path, {
        method,
        headers: { 'ptun-inspector': this.#token, ...(body && { 'content-type': 'application/json' }) },
        ...(body && { body: JSON.stringify(body) }),
      })
    } catch (cause) {
      throw stopped(cause)
    }
    if (answer.ok) return answer
    const problem = (await answer.json().catch(() => ({}))) as Partial<ApiFailure['problem']>
    throw new ApiFailure({
      title: `Unexpected answer (${answer.status})`,
      detail: '',
      cure: '',
      ...problem,
      status: answer.status,
    })
  }
}

function stopped(cause: unknown): ApiFailure {
  return new ApiFailure(
    {
      title: 'ptun does not answer',
      status: 0,
      detail: 'It has ended, or was started again at another port.',
      cure: 'Start the tunnel again, and open the address that it prints.',
    },
    { cause },
  )
}
