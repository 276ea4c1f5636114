/** What every page works with, made once in main.tsx and handed down: calls, session, live feed. */
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import type { Clock } from '@porttunneler/shared/base/clock'
import { createContext } from 'preact'
import { useSyncExternalStore } from 'preact/compat'
import { useContext, useEffect } from 'preact/hooks'
import type { Columns } from '../charts/history.ts'
import type { Figures } from '../charts/rates.ts'
import type { Calls } from './calls.ts'
import type { Confirming } from './confirming.ts'
import type { LiveFeed, LiveStatus } from './live.ts'
import type { OperatorView } from './operator-view.ts'
import type { Session } from './session.ts'

export type Services = {
  readonly calls: Calls
  readonly session: Session
  /** Where calls wait that want a fresh sign-in. */
  readonly confirming: Confirming
  readonly live: LiveFeed
  /** The account that an operator looks at in this tab. */
  readonly view: OperatorView
  readonly clock: Clock
  /** The account that this tab works on; undefined while there was nothing to choose. */
  readonly accountId: () => string | undefined
  /** Shows another account of the person in this tab. */
  readonly switchAccount: (id: string) => void
  /** Shows one that is left, after the membership in this one has ended. */
  readonly leaveAccount: () => void
}

export const ServicesContext = createContext<Services | undefined>(undefined)

export function useServices(): Services {
  const services = useContext(ServicesContext)
  if (!services) throw new Error('a page is rendered outside ServicesContext')
  return services
}

export function useSignedIn(): boolean {
  const { session } = useServices()
  return useSyncExternalStore(
    (onChange) => session.subscribe(onChange),
    () => session.isSignedIn,
  )
}

export type Live = {
  readonly status: LiveStatus
  readonly figures: (tunnel: string) => Figures | undefined
  readonly columns: (tunnel: string) => Columns
  /** Another number means other figures. */
  readonly version: number
}

/** Live figures of one tunnel; the component renders again only when they change, whatever others do. */
export function useFigures(tunnel: string): Pick<Live, 'figures' | 'columns'> {
  const { live } = useServices()
  useSyncExternalStore(
    (onChange) => live.subscribe(onChange),
    () => live.revision(tunnel),
  )
  return { figures: (id) => live.figures(id), columns: (id) => live.columns(id) }
}

/** How the feed is, and that it is to follow `tunnels`; the component renders again when that changes. */
export function useLiveStatus(tunnels: readonly Tunnel[]): LiveStatus {
  const { live } = useServices()
  useEffect(() => live.expect(tunnels), [live, tunnels])
  return useSyncExternalStore(
    (onChange) => live.subscribe(onChange),
    () => live.status,
  )
}

/** The live figures of `tunnels` and others; the component renders again with every second's sample. */
export function useLive(tunnels: readonly Tunnel[]): Live {
  const { live } = useServices()
  useEffect(() => live.expect(tunnels), [live, tunnels])
  const version = useSyncExternalStore(
    (onChange) => live.subscribe(onChange),
    () => live.version,
  )
  return {
    status: live.status,
    figures: (tunnel) => live.figures(tunnel),
    columns: (tunnel) => live.columns(tunnel),
    version,
  }
}
