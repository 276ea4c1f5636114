/**
 * Everything that the vault has sealed: which of it can still be opened, all of it sealed by the newest version of the
 * vault's key, and what cannot be opened made anew. A version of the key that was destroyed takes with it what it
 * sealed; all of that can be made again, at the cost that docs/disaster.md names.
 */
import { z } from 'zod'
import { fail, isFailure } from '../../base/errors.ts'
import { type CertificateDoc, certificates } from '../certificate-documents.ts'
import { orderNow } from '../certificates/ordering.ts'
import { wantedCertificate } from '../certificates/wanted.ts'
import type { Control } from '../control.ts'
import { serviceSecrets, signingKeys } from '../documents.ts'
import { kick } from '../jobs/kick.ts'
import type { Doc, QueryOptions, Ref } from '../platform.ts'
import { queries } from '../query-table.ts'
import { secretPurposes } from '../service-secrets.ts'
import { declareAct, reasonSchema, recordAct } from './act.ts'
import { tellRelays } from './keys.ts'

const kinds = ['signing key', 'secret of the service', 'key of a certificate', 'authenticator app'] as const
type Kind = (typeof kinds)[number]

/** One sealed text: where it is, and what makes another in its place. */
type Sealed = {
  readonly kind: Kind
  readonly ref: Ref
  readonly wrapped: string
  /** The document with another text. */
  replace(doc: Doc, wrapped: string): Doc
}

const pageMax = 100
const noInput = z.strictObject({})

export const secretActs = {
  'secrets.list': declareAct(noInput, async ({ control }) => {
    const counts = new Map<Kind, { opens: number; lost: number }>(
      kinds.map((kind) => [kind, { opens: 0, lost: 0 }]),
    )
    for await (const { kind, wrapped } of sealedOf(control)) {
      const count = counts.get(kind)
      if (count) count[(await opens(control, wrapped)) ? 'opens' : 'lost']++
    }
    return [...counts].map(([kind, count]) => ({ kind, ...count }))
  }),
  'secrets.rotate': declareAct(noInput, async ({ control }, _, by) => {
    await recordAct(control, by, { action: 'secrets.rotated', target: 'vault' })
    let [sealed, lost] = [0, 0]
    for await (const one of sealedOf(control)) {
      if (await sealAgain(control, one)) sealed++
      else lost++
    }
    return { sealed, lost }
  }),
  'secrets.renew': declareAct(
    z.strictObject({ reason: reasonSchema }),
    async ({ control }, { reason }, by) => {
      await recordAct(control, { ...by, reason }, { action: 'secrets.renewed', target: 'vault' })
      const renewed = { signingKeys: 0, secrets: 0, certificates: 0 }
      for await (const one of sealedOf(control)) {
        // Its owner has recovery codes. Without an app that cannot be checked, a password alone would be enough.
        if (one.kind === 'authenticator app' || (await opens(control, one.wrapped))) continue
        if (one.kind === 'signing key') renewed.signingKeys += await renewSigningKey(control, one.ref.id)
        else if (one.kind === 'key of a certificate')
          renewed.certificates += await orderAgain(control, one.ref.id)
        else {
          // The next use makes it.
          await control.store.delete(one.ref)
          renewed.secrets++
        }
      }
      return renewed
    },
  ),
}

async function* sealedOf(control: Control): AsyncGenerator<Sealed> {
  for (const { kid } of await control.signer.describe()) {
    const found = await control.store.get(signingKeys.ref(kid))
    const replace = (doc: Doc, wrappedPrivate: string) => ({ ...doc, wrappedPrivate })
    if (found) yield { kind: 'signing key', ref: found.ref, wrapped: found.data.wrappedPrivate, replace }
  }
  for (const purpose of secretPurposes) {
    const found = await control.store.get(serviceSecrets.ref(purpose))
    const replace = (doc: Doc, wrapped: string) => ({ ...doc, wrapped })
    if (found) yield { kind: 'secret of the service', ref: found.ref, wrapped: found.data.wrapped, replace }
  }
  yield* sealedAppsOf(control)
  let after: QueryOptions['after']
  do {
    const page = await control.store.query(queries.certificatesByEnd, {
      where: {},
      limit: pageMax,
      ...(after && { after }),
    })
    for (const { ref, data } of page.items)
      if (data.wrappedKey !== '')
        yield {
          kind: 'key of a certificate',
          ref,
          wrapped: data.wrappedKey,
          replace: (doc: Doc, wrappedKey: string) => ({ ...doc, wrappedKey }),
        }
    after = page.next
  } while (after)
}

async function* sealedAppsOf(control: Control): AsyncGenerator<Sealed> {
  const replace = (doc: Doc, wrapped: string) => ({ ...doc, app: { ...(doc.app as Doc), wrapped } })
  let after: QueryOptions['after']
  do {
    const options = { where: {}, limit: pageMax, ...(after && { after }) }
    const page = await control.store.query(queries.factorsByUser, options)
    for (const { ref, data } of page.items)
      if (data.app) yield { kind: 'authenticator app', ref, wrapped: data.app.wrapped, replace }
    after = page.next
  } while (after)
}

/** Whether the vault can open it; not whether the vault answers. @throws cloud.* when it does not */
async function opens({ vault }: Control, wrapped: string): Promise<boolean> {
  try {
    await vault.unwrap(wrapped)
    return true
  } catch (error) {
    if (isFailure(error, 'vault.unreadable')) return false
    throw error
  }
}

/** @returns whether it could be opened */
async function sealAgain(control: Control, { ref, wrapped, replace }: Sealed): Promise<boolean> {
  if (!(await opens(control, wrapped))) return false
  const anew = await control.vault.wrap(await control.vault.unwrap(wrapped))
  await control.store.change(ref, (latest) => {
    // Made anew meanwhile, and so by the newest version.
    if (latest === undefined || !holds(latest, wrapped)) return 'keep'
    return replace(latest, anew)
  })
  return true
}

/** In a field, or one level down. */
function holds(doc: Doc, wrapped: string): boolean {
  const texts = Object.values(doc).flatMap((value) =>
    typeof value === 'object' && value !== null ? Object.values(value) : [value],
  )
  return texts.includes(wrapped)
}

async function renewSigningKey(control: Control, kid: string): Promise<number> {
  const version = await control.signer.withdraw(kid)
  if (version === undefined) throw fail('operator.busy')
  await tellRelays(control, version)
  return 1
}

/** Relays that have it serve on with it until the new one is there. */
async function orderAgain(control: Control, id: string): Promise<number> {
  if (control.certificates.issuers.length === 0 || !(await wantedCertificate(control, id))) return 0
  const job = await control.store.transact(async (tx) => {
    const nowMs = control.clock.now()
    const found = await tx.get(certificates.ref(id))
    const ask = await orderNow(tx, id, nowMs)
    const soon: Partial<CertificateDoc> = { renewAt: nowMs, ariAskAt: Number.MAX_SAFE_INTEGER }
    if (found) tx.update(found.ref, soon)
    return ask()
  })
  await kick(control, [job])
  return 1
}
