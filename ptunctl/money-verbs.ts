/** The verbs about plans and what is sold. */
import type { ActName } from '@porttunneler/shared/control/operator/acts'
import type { Command } from 'commander'
import type { OwnAct } from './program.ts'

/** Declares a verb of a group. */
export type Verb = (
  act: ActName | OwnAct,
  words: string,
  description: string,
  /** The group without a verb means this one. */
  options?: { readonly isDefault?: boolean },
) => Command

export function addPlans(verb: Verb): void {
  verb('plans.list', 'list', 'list the plans, with prices')
  verb('plans.show', 'show', 'show the catalogue in force as a file, to begin your own with')
  verb('plans.apply', 'apply', 'put a catalogue in force; accounts keep what they have')
    .argument('<file>', 'YAML; docs/plans.md explains it')
    .option('--dry-run', 'only say what would change')
  verb('plans.migrate', 'migrate', 'say which accounts keep an earlier version, and what moving them changes')
    .option('--plan <plan>', 'only those of this plan')
    .option('--apply', 'move them; those that pay are mailed, and move with a renewal')
}

export function addBilling(verb: Verb): void {
  verb(
    'billing.sync',
    'sync',
    'say what the plans in force lack at Stripe: prices, meter, portal, webhook',
  ).option('--apply', 'make it; nothing that is there is changed')
  verb('billing.replay', 'replay', 'read customers of Stripe again, as if the events came anew')
    .option('--event <id>', 'of this event')
    .option('--customer <id>', 'this customer')
    .option(
      '--since <time>',
      'of all events since then, and all that changed at Stripe, such as 2026-11-01T00:00:00Z',
    )
  verb(
    'billing.drift',
    'drift',
    'list the accounts whose subscription, bill or transfer differs from Stripe’s',
  ).option('--account <id>', 'compare this one now, and put it right')
  verb('billing.show', 'show', 'ask Stripe about an account, and show what is stored then').argument(
    '<account>',
    'its id',
  )
}
