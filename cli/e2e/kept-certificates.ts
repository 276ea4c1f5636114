/**
 * The certificates of this machine's agents with their keys: one file a host in the state folder, mode 0600. The key of
 * an order is written before the order is sent, so an agent that is started again goes on with the same order, and does
 * not use up what authorities allow.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isFailure, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import { z } from 'zod'
import { writePrivateFile } from '../paths.ts'

const certificateSchema = z.object({
  /** The server's id for it. */
  id: z.string(),
  /** PEM. */
  key: z.string(),
  chain: z.string(),
  notAfter: z.int(),
  renewAt: z.int(),
})
const fileSchema = z.object({
  version: z.literal(1),
  host: z.string(),
  current: certificateSchema.optional(),
  /** The key of an order that is not over. */
  nextKey: z.string().optional(),
})
export type KeptCertificate = Readonly<z.infer<typeof certificateSchema>>
export type Kept = { readonly current?: KeptCertificate; readonly nextKey?: string }

export class KeptCertificates {
  readonly #folder: string | undefined
  readonly #owner: string

  /** @param folder undefined: nothing is kept */
  constructor({ folder, server, account }: { folder: string | undefined; server: string; account: string }) {
    this.#folder = folder && join(folder, 'certificates')
    this.#owner = `${server}\n${account}`
  }

  /** A damaged or foreign file counts as none. */
  async read(host: string): Promise<Kept> {
    const path = this.#path(host)
    if (path === undefined) return {}
    try {
      const { data } = fileSchema.safeParse(JSON.parse(await readFile(path, 'utf8')))
      if (data?.host !== host) return {}
      const { current, nextKey } = data
      return { ...(current && { current }), ...(nextKey !== undefined && { nextKey }) }
    } catch {
      return {}
    }
  }

  /** @returns why it could not be written */
  async write(host: string, kept: Kept): Promise<PortTunnelerError | undefined> {
    const path = this.#path(host)
    if (path === undefined) return undefined
    try {
      await writePrivateFile(path, `${JSON.stringify({ version: 1, host, ...kept })}\n`)
      return undefined
    } catch (error) {
      if (isFailure(error)) return error
      throw error
    }
  }

  #path(host: string): string | undefined {
    const name = createHash('sha256').update(`${this.#owner}\n${host}`).digest('hex').slice(0, 32)
    return this.#folder && join(this.#folder, `${name}.json`)
  }
}
