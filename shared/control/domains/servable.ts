/** Whose a verified host is, and where it leads: for serving it and for its certificates. */
import type { TunnelKind } from '../../protocol/endpoint.ts'
import type { Control } from '../control.ts'
import { accounts, tunnels } from '../documents.ts'
import { names } from '../name-documents.ts'
import { verified } from './domain-documents.ts'

export type Servable = {
  readonly account: string
  /** The tunnel that the host leads to, and its cell; '' = none for now. */
  readonly tunnel: string
  readonly cell: string
  /** The kind of that tunnel; undefined = none for now. */
  readonly kind: TunnelKind | undefined
  /** False when the proof has been gone for days, or the account is suspended: then it gets no new certificates. */
  readonly mayOrder: boolean
}

/** @param host in small ASCII letters @returns undefined for a host that no account has proved */
export async function isServable(
  { store }: Pick<Control, 'store'>,
  host: string,
): Promise<Servable | undefined> {
  const [right, name] = await Promise.all([store.get(verified.ref(host)), store.get(names.ref(host))])
  if (!right) return undefined
  const { account, state } = right.data
  const isLed = name?.data.state === 'active' && name.data.account === account
  const [found, holder] = await Promise.all([
    isLed ? store.get(tunnels.ref(name.data.tunnel)) : undefined,
    store.get(accounts.ref(account)),
  ])
  return {
    account,
    tunnel: found?.ref.id ?? '',
    cell: found?.data.cell ?? '',
    kind: found?.data.kind,
    mayOrder: state !== 'suspended' && holder?.data.status === 'active',
  }
}
