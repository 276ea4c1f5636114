/**
 * What a relay remembers over a restart: the cell it belongs to, the ticket keys, the place in the list of commands
 * and the decrees; so it can serve while the control plane is down. `state.json` in the data folder.
 */
import { join } from 'node:path'
import { type SyncAnswer, syncAnswerSchema } from '@porttunneler/shared/api/schemas/relays'
import { z } from 'zod'
import { Decrees, decreesSchema } from './decrees.ts'
import { KeptFile, readJson } from './files.ts'

export type Cell = SyncAnswer['cell']
export type Keys = SyncAnswer['keys']

const stateSchema = z.strictObject({
  relay: z.string().optional(),
  cell: syncAnswerSchema.shape.cell.optional(),
  keys: syncAnswerSchema.shape.keys,
  cursor: z.string().max(64).optional(),
  decrees: decreesSchema,
})

export class RelayState {
  readonly #file: KeptFile
  readonly decrees: Decrees
  relay: string | undefined
  cell: Cell | undefined
  keys: Keys
  /** The last command read. */
  cursor: string | undefined

  private constructor(path: string, kept: z.infer<typeof stateSchema> | undefined) {
    this.#file = new KeptFile(path, () => {
      const { relay, cell, keys, cursor, decrees } = this
      return JSON.stringify({ relay, cell, keys, cursor, decrees })
    })
    this.relay = kept?.relay
    this.cell = kept?.cell
    this.keys = kept?.keys ?? { version: 0, jwks: { keys: [] } }
    this.cursor = kept?.cursor
    this.decrees = new Decrees(kept?.decrees)
  }

  /** @throws relay.data */
  static async load(dataDir: string): Promise<RelayState> {
    const path = join(dataDir, 'state.json')
    return new RelayState(path, await readJson(path, stateSchema))
  }

  /** Resolves when a state not older than now is on disk. @throws relay.data */
  save(): Promise<void> {
    return this.#file.save()
  }
}
