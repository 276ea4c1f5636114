/** What a bank does after a payment: disputes, inquiries and warnings. */
import type { Stripe } from 'stripe'
import { z } from 'zod'
import type { Card } from './cards.ts'
import { isWithin, page } from './pages.ts'
import { anyMetadata, createdRange, flag, none, paging, params, text } from './params.ts'
import { invalid } from './refusal.ts'
import { type Route, route } from './routes.ts'
import { mergedMetadata, type World } from './world.ts'

const listParams = params<Stripe.DisputeListParams & Stripe.PaginationParams>()({
  ...paging,
  charge: text.optional(),
  created: createdRange.optional(),
  payment_intent: text.optional(),
})
const updateParams = params<Stripe.DisputeUpdateParams>()({
  evidence: z.strictObject({ uncategorized_text: z.string().optional() }).optional(),
  metadata: anyMetadata.optional(),
  submit: flag.optional(),
})
const warningParams = params<Stripe.Radar.EarlyFraudWarningListParams & Stripe.PaginationParams>()({
  ...paging,
  charge: text.optional(),
  payment_intent: text.optional(),
})
/** Days that a bank gives for an answer. */
const answerDays = 21

export const disputeRoutes: readonly Route[] = [
  route('GET /v1/disputes', listParams, (world, asked) => {
    const found = world
      .all('disputes')
      .filter(
        ({ charge, created, payment_intent: intent }) =>
          (asked.charge === undefined || charge === asked.charge) &&
          (asked.payment_intent === undefined || intent === asked.payment_intent) &&
          isWithin(created, asked.created),
      )
    return page(found, asked, '/v1/disputes')
  }),
  route('GET /v1/disputes/:id', none, (world, _, id = '') => world.find('disputes', id, 'dispute')),
  route('POST /v1/disputes/:id', updateParams, (world, asked, id = '') => {
    const dispute = openDispute(world, id)
    const text = asked.evidence?.uncategorized_text
    world.change('charge.dispute.updated', dispute, () => {
      dispute.metadata = mergedMetadata(dispute.metadata, asked.metadata)
      if (text === undefined) return
      dispute.evidence.uncategorized_text = text
      dispute.evidence_details.has_evidence = true
    })
    // In a sandbox these two texts decide at once (docs.stripe.com/testing#evidence).
    if (text === 'winning_evidence') close(world, dispute, 'won')
    else if (text === 'losing_evidence') close(world, dispute, 'lost')
    else if (asked.submit ?? text !== undefined)
      world.change('charge.dispute.updated', dispute, () => {
        dispute.status = dispute.status === 'warning_needs_response' ? 'warning_under_review' : 'under_review'
        dispute.evidence_details.submission_count += 1
      })
    return dispute
  }),
  route('POST /v1/disputes/:id/close', none, (world, _, id = '') =>
    close(world, openDispute(world, id), 'lost'),
  ),
  route('GET /v1/radar/early_fraud_warnings', warningParams, (world, asked) => {
    const found = world
      .all('warnings')
      .filter(
        ({ charge, payment_intent: intent }) =>
          (asked.charge === undefined || charge === asked.charge) &&
          (asked.payment_intent === undefined || intent === asked.payment_intent),
      )
    return page(found, asked, '/v1/radar/early_fraud_warnings')
  }),
  route('GET /v1/radar/early_fraud_warnings/:id', none, (world, _, id = '') =>
    world.find('warnings', id, 'early fraud warning'),
  ),
]

function openDispute(world: World, id: string): Stripe.Dispute {
  const dispute = world.find('disputes', id, 'dispute')
  if (!/needs_response$/.test(dispute.status)) throw invalid('This dispute is already closed')
  return dispute
}

/** What the card's owner does as soon as the payment went through. */
export function disputeAfter(world: World, charge: Stripe.Charge, { later }: Card): void {
  if (later === undefined) return
  if (later === 'warning') warn(world, charge)
  else open(world, charge, later)
}

function warn(world: World, charge: Stripe.Charge): void {
  const warning: Stripe.Radar.EarlyFraudWarning = {
    id: world.id('issfr', 24),
    object: 'radar.early_fraud_warning',
    actionable: true,
    charge: charge.id,
    created: world.now(),
    fraud_type: 'unauthorized_use_of_card',
    livemode: false,
    payment_intent: String(charge.payment_intent),
  }
  world.keep('warnings', warning)
  world.emit('radar.early_fraud_warning.created', warning)
}

function open(
  world: World,
  charge: Stripe.Charge,
  later: 'fraudulent' | 'product_not_received' | 'inquiry',
): void {
  const isInquiry = later === 'inquiry'
  const dispute: Stripe.Dispute = {
    id: world.id('du', 24),
    object: 'dispute',
    amount: charge.amount,
    balance_transactions: [],
    charge: charge.id,
    created: world.now(),
    currency: charge.currency,
    enhanced_eligibility_types: [],
    evidence: noEvidence(),
    evidence_details: {
      due_by: world.now() + answerDays * 86_400,
      enhanced_eligibility: {},
      has_evidence: false,
      past_due: false,
      submission_count: 0,
      submission_method: 'not_submitted',
    },
    intended_submission_method: null,
    is_charge_refundable: isInquiry,
    livemode: false,
    metadata: {},
    payment_intent: String(charge.payment_intent),
    reason: isInquiry ? 'fraudulent' : later,
    status: isInquiry ? 'warning_needs_response' : 'needs_response',
  }
  world.keep('disputes', dispute)
  charge.disputed = true
  world.emit('charge.dispute.created', dispute)
  if (!isInquiry) world.emit('charge.dispute.funds_withdrawn', dispute)
}

function close(world: World, dispute: Stripe.Dispute, status: 'won' | 'lost'): Stripe.Dispute {
  const isInquiry = dispute.status.startsWith('warning')
  world.change('charge.dispute.closed', dispute, () => {
    dispute.status = isInquiry ? 'warning_closed' : status
  })
  if (dispute.status === 'won') world.emit('charge.dispute.funds_reinstated', dispute)
  return dispute
}

function noEvidence(): Stripe.Dispute.Evidence {
  return {
    access_activity_log: null,
    billing_address: null,
    cancellation_policy: null,
    cancellation_policy_disclosure: null,
    cancellation_rebuttal: null,
    customer_communication: null,
    customer_email_address: null,
    customer_name: null,
    customer_purchase_ip: null,
    customer_signature: null,
    duplicate_charge_documentation: null,
    duplicate_charge_explanation: null,
    duplicate_charge_id: null,
    enhanced_evidence: {},
    product_description: null,
    receipt: null,
    refund_policy: null,
    refund_policy_disclosure: null,
    refund_refusal_explanation: null,
    service_date: null,
    service_documentation: null,
    shipping_address: null,
    shipping_carrier: null,
    shipping_date: null,
    shipping_documentation: null,
    shipping_tracking_number: null,
    uncategorized_file: null,
    uncategorized_text: null,
  }
}
