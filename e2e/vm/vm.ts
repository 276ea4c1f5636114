/** The VM of the test, and what its surroundings tell it. */

export const vm = {
  project: 'ptun-test',
  instanceId: '4711000000000000042',
  /** The VM's public address. */
  address: '203.0.113.7',
  controlAddress: '198.51.100.1',
  cellHost: 'tunnels.test',
} as const

export const controlUrl = `http://${vm.controlAddress}:8400`

export type VmEvent =
  | { readonly kind: 'up' }
  | { readonly kind: 'archive'; readonly name: string }
  | { readonly kind: 'token'; readonly audience: string; readonly format: string }
  | { readonly kind: 'guestAttribute'; readonly value: string }
  | {
      readonly kind: 'sync'
      readonly instance: string
      readonly state: string
      readonly agentPort: number
      readonly watchUrl: string
    }
  | { readonly kind: 'certificates'; readonly hosts: readonly string[]; readonly root: string }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'bound'; readonly endpoint: string }
