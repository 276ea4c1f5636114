/** One way from a visitor to the backend: straight, through PortTunneler, through ssh. */
import type { Target } from './scenarios.ts'

export type Backend = { readonly tcpPort: number; readonly httpPort: number }

export type Path = {
  readonly name: string
  readonly target: Target
  /** Roots of the process trees whose CPU time the way costs. */
  readonly pids: readonly number[]
  close(): Promise<void>
}

export function directPath({ tcpPort, httpPort }: Backend): Path {
  const host = '127.0.0.1'
  return {
    name: 'direct',
    target: {
      tcp: { host, port: tcpPort },
      http: { host, port: httpPort },
      hostHeader: `localhost:${httpPort}`,
    },
    pids: [],
    close: async () => undefined,
  }
}
