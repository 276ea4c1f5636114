/**
 * What a relay remembers over a restart: the cell it belongs to, the ticket keys, the place in the list of commands
 * and the decrees; so it can serve while the control plane is down. `state.json` in the data folder.
 */
import { join } from 'node:path'
import { type SyncAnswer, syncAnswerSchema } from '@porttunneler/shared/api/schemas/relays'
import { z } from 'zod'
import { Decrees, decreesSchema } from './decrees.ts'
import { readJson, writeText } from './files.ts'

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
  readonly #path: string
  readonly decrees: Decrees
  relay: string | undefined
  cell: Cell | undefined
  keys: Keys
  /** The last command read. */
  cursor: string | undefined
  #saving: Promise<void> | undefined
  #isWanted = false

  private constructor(path: string, kept: z.infer<typeof stateSchema> | undefined) {
    this.#path = path
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

  /** Resolves when a state not older than now is on disk; calls while one is written share the next. @throws relay.data */
  save(): Promise<void> {
    if (this.#saving === undefined) {
      this.#saving = this.#write().finally(() => {
        this.#saving = undefined
      })
    } else this.#isWanted = true
    return this.#saving
  }

  async #write(): Promise<void> {
    do {
      this.#isWanted = false
      const { relay, cell, keys, cursor, decrees } = this
      await writeText(this.#path, JSON.stringify({ relay, cell, keys, cursor, decrees }))
    } while (this.#isWanted)
  }
}
