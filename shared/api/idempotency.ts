/**
 * Idempotency-Key on calls that make something: the record commits in the transaction of its effect, so a repeated
 * request finds what the first one did, even when the answer never arrived. Records hold no secrets.
 */
import { createHash } from 'node:crypto'
import { fail } from '../base/errors.ts'
import type { AccountControl } from '../control/control.ts'
import { type IdempotencyDoc, idempotency } from '../control/documents.ts'
import type { Ref, Transaction } from '../control/platform.ts'
import { believed, isAhead } from '../control/stored-times.ts'
import type { AccountCall, ApiContext } from './kit.ts'

const keepMs = 24 * 3_600_000
const bodyBytesMax = 32 * 1024

/** Writes which thing was made, for later repeats; call it in the transaction of the effect. */
export type Record = (tx: Transaction, made: object) => void
export type Outcome<T> = { readonly value: T } | { readonly replayed: unknown }

/** @throws api.idempotency when an earlier, different request had the same key */
export async function once<T>(
  c: ApiContext,
  { caller: { account, actor }, control }: AccountCall,
  run: (record: Record) => Promise<T>,
): Promise<Outcome<T>> {
  const key = keyOf(c)
  if (key === undefined) return { value: await run(() => {}) }
  const ref = idempotency.ref(`${actor}:${sha256(key)}`)
  const fingerprint = sha256(`${c.req.method} ${c.req.path} ${await c.req.text()}`)
  const earlier = await readRecord(control, ref, fingerprint)
  if (earlier) return earlier
  const record: Record = (tx, answer) => {
    const body = JSON.stringify(answer)
    if (Buffer.byteLength(body) > bodyBytesMax) throw fail('api.too_large')
    const ttl = new Date(control.clock.now() + keepMs)
    // If two equal requests run at once, this fails for the second, and its effect with it.
    tx.create(ref, { account, fingerprint, status: 201, body, ttl })
  }
  try {
    return { value: await run(record) }
  } catch (error) {
    // An equal request at the same time was faster: its effect is why this one failed.
    const meanwhile = await readRecord(control, ref, fingerprint)
    if (meanwhile) return meanwhile
    throw error
  }
}

/** The header's value. @throws api.invalid */
export function keyOf(c: ApiContext): string | undefined {
  const key = c.req.header('idempotency-key')
  if (key !== undefined && !/^[\x21-\x7e]{1,200}$/.test(key))
    throw fail('api.invalid', 'Idempotency-Key: 1 to 200 visible ASCII characters')
  return key
}

async function readRecord(
  control: AccountControl,
  ref: Ref<IdempotencyDoc>,
  fingerprint: string,
): Promise<{ readonly replayed: unknown } | undefined> {
  const found = await control.store.get(ref)
  if (!found) return undefined
  const span = { nowMs: control.clock.now(), lastsMs: keepMs }
  const ttl = found.data.ttl.getTime()
  // Nobody knows whether it is over by now, so keep it for its full time from here.
  if (isAhead(ttl, span)) await control.store.update(ref, { ttl: new Date(believed(ttl, span)) })
  if (ttl <= span.nowMs) {
    await control.store.delete(ref, { version: found.version })
    return undefined
  }
  if (found.data.fingerprint !== fingerprint) throw fail('api.idempotency')
  return { replayed: JSON.parse(found.data.body) }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
