/** One way from a visitor to the backend: straight, through PortTunneler, through a peer. */
import type { Target } from './scenarios.ts'

export type Backend = { readonly tcpPort: number; readonly httpPort: number }

/** Roots of the process trees of a tunnel's two ends. */
export type Ends = { readonly server: readonly number[]; readonly client: readonly number[] }

export type Path = {
  readonly name: string
  readonly target: Target
  readonly ends: Ends
  close(): Promise<void>
}

/** How a way is opened, so that memory can be measured in processes that have done nothing yet. */
export type PathMaker = {
  readonly name: string
  /** @throws with the reason when it cannot be opened here; nothing is left running then */
  open(backend: Backend): Promise<Path>
}

export const host = '127.0.0.1'

export const direct: PathMaker = {
  name: 'direct',
  open: async ({ tcpPort, httpPort }) => ({
    name: 'direct',
    target: {
      tcp: { host, port: tcpPort },
      web: { host, port: httpPort },
      vhost: { host, port: httpPort, name: `localhost:${httpPort}` },
    },
    ends: { server: [], client: [] },
    close: async () => undefined,
  }),
}
