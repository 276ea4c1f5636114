/** What an operator does about money: objects at the payment service, events again, and how an account stands. */
import { z } from 'zod'
import { fail } from '../../base/errors.ts'
import { customers, subscriptions } from '../money/billing-documents.ts'
import { syncBilling } from '../money/billing-sync.ts'
import { followCustomer } from '../money/following.ts'
import { replayEvents } from '../money/inbox.ts'
import { describeDrift, reconcileAccount } from '../money/reconciling.ts'
import { requireOn } from '../money/selling.ts'
import { declareAct, recordAct } from './act.ts'

const idSchema = z.string().regex(/^[A-Za-z0-9_-]{1,120}$/, 'an id as the payment service shows it')

export const billingActs = {
  'billing.sync': declareAct(
    z.strictObject({ apply: z.boolean().default(false) }),
    async ({ control }, { apply }, by) => {
      if (apply)
        await recordAct(control, by, { action: 'billing.synced', target: control.payments.kind, details: {} })
      return syncBilling(control, { apply })
    },
  ),
  'billing.replay': declareAct(
    z
      .strictObject({
        event: idSchema.optional(),
        customer: idSchema.optional(),
        since: z.iso.datetime().optional(),
      })
      .refine(
        ({ event, customer, since }) => event ?? customer ?? since,
        'say which: --event, --customer or --since',
      ),
    async ({ control }, { event, customer, since }, by) => {
      requireOn(control)
      const asked = {
        ...(event !== undefined && { event }),
        ...(customer !== undefined && { customer }),
        ...(since !== undefined && { since: Date.parse(since) }),
      }
      await recordAct(control, by, {
        action: 'billing.replayed',
        target: event ?? customer ?? since ?? '',
        details: {},
      })
      return replayEvents(control, asked)
    },
  ),
  /** What differs between the payment service and us; of one account it is looked up now. */
  'billing.drift': declareAct(
    z.strictObject({ account: z.string().max(64).optional() }),
    async ({ control }, { account }) => {
      requireOn(control)
      if (account === undefined) return describeDrift(control)
      return { account, drift: [...(await reconcileAccount(control, account))] }
    },
  ),
  /** Asks the payment service now, and says what is stored then. */
  'billing.show': declareAct(
    z.strictObject({ account: z.string().max(64) }),
    async ({ control }, { account }) => {
      const found = await control.store.get(subscriptions.ref(account))
      if (!found) throw fail('operator.missing', `The account "${account}" never paid.`)
      if (control.payments.kind !== 'none') await followCustomer(control, found.data.customer)
      const claimed = await control.store.get(customers.ref(found.data.customer))
      const latest = await control.store.get(found.ref)
      return { ...(latest ?? found).data, isClaimed: claimed?.data.account === account }
    },
  ),
}
