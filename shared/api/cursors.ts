/**
 * Cursors of pages: signed, and bound to the account and the list, so that a made-up one reads nothing of other
 * accounts.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { fail } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'
import type { Control } from '../control/control.ts'
import type { Doc, Page, QueryOptions } from '../control/platform.ts'
import { serviceSecret } from '../control/service-secrets.ts'

export type Position = NonNullable<Page<Record<never, never>>['next']>
/** The list that a cursor is valid for. */
export type CursorScope = { readonly account: string; readonly list: string }

const positionSchema = z.tuple([z.union([z.string(), z.number()]), z.string()])

export class Cursors {
  readonly #control: Control
  #key: Promise<Secret> | undefined

  constructor(control: Control) {
    this.#control = control
  }

  async write(scope: CursorScope, position: Position): Promise<string> {
    const body = Buffer.from(JSON.stringify(position)).toString('base64url')
    return `${body}.${(await this.#sign(scope, body)).toString('base64url')}`
  }

  /** @throws api.cursor */
  async read(scope: CursorScope, cursor: string): Promise<Position> {
    const [body = '', signature = ''] = cursor.split('.')
    const given = Buffer.from(signature, 'base64url')
    const right = await this.#sign(scope, body)
    if (given.length !== right.length || !timingSafeEqual(given, right)) throw fail('api.cursor')
    return positionSchema.parse(JSON.parse(Buffer.from(body, 'base64url').toString()))
  }

  /** One page of a list, from the given cursor to the next. @throws api.cursor */
  async page<T extends Doc, Item>(
    scope: CursorScope,
    { limit, cursor }: { readonly limit: number; readonly cursor?: string | undefined },
    list: {
      readonly read: (options: Pick<QueryOptions, 'limit' | 'after'>) => Promise<Page<T>>
      readonly describe: (found: Page<T>['items']) => Promise<Item[]> | Item[]
    },
  ): Promise<{ items: Item[]; next?: string }> {
    const after = cursor === undefined ? undefined : await this.read(scope, cursor)
    const page = await list.read({ limit, ...(after && { after }) })
    const items = await list.describe(page.items)
    return { items, ...(page.next && { next: await this.write(scope, page.next) }) }
  }

  async #sign({ account, list }: CursorScope, body: string): Promise<Buffer> {
    const key = await this.#secret()
    return createHmac('sha256', key.reveal())
      .update(JSON.stringify([account, list, body]))
      .digest()
  }

  async #secret(): Promise<Secret> {
    this.#key ??= serviceSecret(this.#control, 'cursors')
    try {
      return await this.#key
    } catch (error) {
      // Do not keep the failure: the next request tries again.
      this.#key = undefined
      throw error
    }
  }
}
