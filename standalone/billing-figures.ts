/** How many accounts differ from what Stripe has, as a figure for Prometheus: docs/operations.md has the alert. */
import type { Timer } from '@porttunneler/shared/base/clock'
import type { Control } from '@porttunneler/shared/control/control'
import { countDrift } from '@porttunneler/shared/control/money/reconciling'
import { type Figure, writeFigures } from './figures.ts'

/** Accounts are compared each hour. */
const everyMs = 5 * 60_000

/** Writes it every five minutes, until cleared; without a key of Stripe the figure is taken away. */
export function keepBillingFigures(
  control: Pick<Control, 'clock' | 'log' | 'payments' | 'store'>,
  data: string,
): Timer {
  const { clock, log, payments } = control
  if (payments.kind === 'none') writeFigures(data, 'ptun_billing_', [])
  const look = () => writeBillingFigures(control, data)
  return clock.every(
    everyMs,
    () => {
      if (payments.kind === 'none') return
      look().catch((error: unknown) => log.warn({ error }, 'The figures of billing could not be written'))
    },
    { background: true },
  )
}

async function writeBillingFigures(control: Pick<Control, 'store'>, data: string): Promise<void> {
  writeFigures(data, 'ptun_billing_', billingFigures(await countDrift(control)))
}

export function billingFigures(drifting: number): readonly Figure[] {
  return [
    [
      'ptun_billing_drifting_accounts',
      'Accounts that differed from the payment service when they were compared; 21: more than 20',
      drifting,
    ],
  ]
}
