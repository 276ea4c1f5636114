/**
 * What a relay remembers over a restart: its cell, the ticket keys, the place in the list of commands and the decrees,
 * so that it can serve while the control plane is down. `state.json` in the data folder.
 */
import { join } from 'node:path'
import { type SyncAnswer, syncAnswerSchema } from '@porttunneler/shared/api/schemas/relays'
import type { FlagStates } from '@porttunneler/shared/base/flags'
import { z } from 'zod'
import { Decrees, decreesSchema } from './decrees.ts'
import { KeptFile, type OnSetAside, readJson } from './files.ts'
import { keptNamesSchema, NameKnowledge } from './name-knowledge.ts'
import { TakenDown, takedownsSchema } from './taken-down.ts'

export type Cell = SyncAnswer['cell']
export type Keys = SyncAnswer['keys']

/** Fields of a later release are ignored, so that going back to this one works. */
const stateSchema = z.object({
  version: z.literal(1).default(1),
  relay: z.string().optional(),
  cell: syncAnswerSchema.shape.cell.optional(),
  keys: syncAnswerSchema.shape.keys,
  cursor: z.string().max(64).optional(),
  timeOffsetMs: z.number().default(0),
  decrees: decreesSchema,
  /** Networks of the proxy services that it trusts. */
  proxyNetworks: syncAnswerSchema.shape.proxyNetworks,
  flags: syncAnswerSchema.shape.flags,
  /** Relays up to 0.1 omit it. */
  names: keptNamesSchema.optional(),
  /** Relays up to 0.1 omit it. */
  takenDown: takedownsSchema.optional(),
})

export class RelayState {
  readonly #file: KeptFile
  readonly decrees: Decrees
  readonly names: NameKnowledge
  readonly takenDown: TakenDown
  #relay: string | undefined
  #cell: Cell | undefined
  #keys: Keys
  /** Ids of keys that are refused, whoever lists them: an instance of the control plane may know less for a minute. */
  readonly #leaked = new Set<string>()
  #cursor: string | undefined
  #timeOffsetMs: number
  #proxyNetworks: SyncAnswer['proxyNetworks']
  #flags: FlagStates

  private constructor(path: string, kept: z.infer<typeof stateSchema> | undefined) {
    this.#file = new KeptFile(path, () => {
      const { relay, cell, keys, cursor, timeOffsetMs, decrees, names, proxyNetworks, flags } = this
      const rest = { decrees, names, takenDown: this.takenDown, proxyNetworks, flags }
      return JSON.stringify({ version: 1, relay, cell, keys, cursor, timeOffsetMs, ...rest })
    })
    this.#relay = kept?.relay
    this.#cell = kept?.cell
    this.#keys = kept?.keys ?? { version: 0, jwks: { keys: [] } }
    this.#cursor = kept?.cursor
    this.#timeOffsetMs = kept?.timeOffsetMs ?? 0
    this.#proxyNetworks = kept?.proxyNetworks
    this.#flags = kept?.flags ?? {}
    this.decrees = new Decrees(kept?.decrees)
    this.names = new NameKnowledge(kept?.names)
    this.takenDown = new TakenDown(kept?.takenDown)
  }

  get relay(): string | undefined {
    return this.#relay
  }

  get cell(): Cell | undefined {
    return this.#cell
  }

  get keys(): Keys {
    return this.#keys
  }

  /** The last command read. */
  get cursor(): string | undefined {
    return this.#cursor
  }

  /** Server time less this machine's, at the last answer. */
  get timeOffsetMs(): number {
    return this.#timeOffsetMs
  }

  /** Networks of the proxy services that it trusts; undefined: the release knows the newest. */
  get proxyNetworks(): SyncAnswer['proxyNetworks'] {
    return this.#proxyNetworks
  }

  /** What operators want of feature flags. */
  get flags(): FlagStates {
    return this.#flags
  }

  /** Takes what the control plane says about this relay. */
  take(
    {
      relay,
      cell,
      keys,
      proxyNetworks,
      flags,
    }: Pick<SyncAnswer, 'relay' | 'cell' | 'keys' | 'proxyNetworks' | 'flags'>,
    timeOffsetMs: number,
  ): void {
    this.#proxyNetworks = proxyNetworks ?? this.#proxyNetworks
    this.#flags = flags ?? this.#flags
    this.#relay = relay
    this.#cell = cell
    this.#timeOffsetMs = timeOffsetMs
    this.#takeKeys(keys)
  }

  /** The commands up to this one were carried out. */
  obeyed(cursor: string | undefined): void {
    this.#cursor = cursor
  }

  /** @returns whether it was known, and is not any more */
  refuseKey(kid: string): boolean {
    const before = this.#keys
    this.#leaked.add(kid)
    this.#takeKeys(before)
    return this.#keys !== before
  }

  /** @throws relay.data */
  static async load(dataDir: string, onSetAside?: OnSetAside): Promise<RelayState> {
    const path = join(dataDir, 'state.json')
    return new RelayState(path, await readJson(path, stateSchema, onSetAside))
  }

  #takeKeys(given: Keys): void {
    const keys = given.jwks.keys.filter(({ kid }) => typeof kid !== 'string' || !this.#leaked.has(kid))
    this.#keys = keys.length === given.jwks.keys.length ? given : { ...given, jwks: { keys } }
  }

  /** Resolves when a state not older than now is on disk. @throws relay.data */
  save(): Promise<void> {
    this.#file.changed()
    return this.#file.save()
  }
}
