/** The customer portal: its configurations and sessions, and the page behind them. */
import type { Stripe } from 'stripe'
import { z } from 'zod'
import { cardNumbered } from './cards.ts'
import { addTaxId, findCustomer, taxIdsOf } from './customers.ts'
import { escaped, field, htmlPage, money, type PageAnswer } from './html.ts'
import { page } from './pages.ts'
import { empty, flag, metadata, none, paging, params, text, url } from './params.ts'
import { attachCard } from './payment-methods.ts'
import { invalid, Refusal } from './refusal.ts'
import { type Route, route } from './routes.ts'
import { idOf, mergedMetadata, type World } from './world.ts'

const off = z.strictObject({ enabled: flag })
const allowed = z.enum(['address', 'email', 'name', 'phone', 'shipping', 'tax_id'])
const features = {
  customer_update: z
    .strictObject({ enabled: flag, allowed_updates: z.union([empty, z.array(allowed)]).optional() })
    .optional(),
  invoice_history: off.optional(),
  payment_method_update: off.optional(),
  subscription_cancel: off.optional(),
  subscription_update: off.optional(),
}
const businessProfile = z.strictObject({
  headline: z.string().max(60).optional(),
  privacy_policy_url: url.optional(),
  terms_of_service_url: url.optional(),
})
const createParams = params<Stripe.BillingPortal.ConfigurationCreateParams>()({
  features: params<Stripe.BillingPortal.ConfigurationCreateParams.Features>()(features),
  business_profile: businessProfile.optional(),
  default_return_url: url.optional(),
  metadata: metadata.optional(),
  name: text.optional(),
})
const updateParams = params<Stripe.BillingPortal.ConfigurationUpdateParams>()({
  features: params<Stripe.BillingPortal.ConfigurationUpdateParams.Features>()(features).optional(),
  active: flag.optional(),
  business_profile: businessProfile.optional(),
  default_return_url: url.optional(),
  metadata: metadata.optional(),
})
const listParams = params<Stripe.BillingPortal.ConfigurationListParams & Stripe.PaginationParams>()({
  ...paging,
  active: flag.optional(),
  is_default: flag.optional(),
})
const sessionParams = params<Stripe.BillingPortal.SessionCreateParams>()({
  customer: text,
  configuration: text.optional(),
  return_url: url.optional(),
})

export const portalRoutes: readonly Route[] = [
  route('POST /v1/billing_portal/configurations', createParams, (world, asked) => {
    const configuration: Stripe.BillingPortal.Configuration = {
      id: world.id('bpc', 24),
      object: 'billing_portal.configuration',
      active: true,
      application: null,
      business_profile: profileOf(asked.business_profile),
      created: world.now(),
      default_return_url: asked.default_return_url ?? null,
      features: featuresOf(asked.features),
      is_default: false,
      livemode: false,
      login_page: { enabled: false, url: null },
      metadata: mergedMetadata(null, asked.metadata),
      name: asked.name ?? null,
      updated: world.now(),
    }
    world.keep('portalConfigurations', configuration)
    world.emit('billing_portal.configuration.created', configuration)
    return configuration
  }),
  route('GET /v1/billing_portal/configurations', listParams, (world, asked) => {
    const found = world
      .all('portalConfigurations')
      .filter(
        ({ active, is_default: isDefault }) =>
          (asked.active === undefined || active === asked.active) &&
          (asked.is_default === undefined || isDefault === asked.is_default),
      )
    return page(found, asked, '/v1/billing_portal/configurations')
  }),
  route('GET /v1/billing_portal/configurations/:id', none, (world, _, id = '') =>
    world.find('portalConfigurations', id, 'configuration'),
  ),
  route('POST /v1/billing_portal/configurations/:id', updateParams, (world, asked, id = '') => {
    const configuration = world.find('portalConfigurations', id, 'configuration')
    world.change('billing_portal.configuration.updated', configuration, () => {
      configuration.active = asked.active ?? configuration.active
      configuration.default_return_url = asked.default_return_url ?? configuration.default_return_url
      if (asked.features) configuration.features = featuresOf(asked.features, configuration.features)
      configuration.business_profile = profileOf(asked.business_profile, configuration.business_profile)
      configuration.metadata = mergedMetadata(configuration.metadata, asked.metadata)
      configuration.updated = world.now()
    })
    return configuration
  }),
  route('POST /v1/billing_portal/sessions', sessionParams, (world, asked) => {
    findCustomer(world, asked.customer, 'customer')
    const configuration =
      asked.configuration === undefined
        ? world.all('portalConfigurations').find(({ is_default: isDefault }) => isDefault)
        : world.find('portalConfigurations', asked.configuration, 'configuration', 'configuration')
    if (!configuration)
      throw invalid(
        'No configuration provided and your test mode default configuration has not been created. Provide a configuration or create your default by saving your customer portal settings in test mode.',
      )
    if (!configuration.active) throw invalid('The configuration is not active', { param: 'configuration' })
    const id = world.id('bps', 24)
    const session: Stripe.BillingPortal.Session = {
      id,
      object: 'billing_portal.session',
      configuration: configuration.id,
      created: world.now(),
      customer: asked.customer,
      customer_account: null,
      flow: null,
      livemode: false,
      locale: null,
      on_behalf_of: null,
      return_url: asked.return_url ?? configuration.default_return_url,
      url: `${world.origin}/p/session/${id}`,
    }
    world.keep('portals', session)
    world.emit('billing_portal.session.created', session)
    return session
  }),
]

type Profile = Stripe.BillingPortal.Configuration.BusinessProfile

function profileOf(asked: z.output<typeof businessProfile> | undefined, before?: Profile): Profile {
  return {
    headline: asked?.headline ?? before?.headline ?? null,
    privacy_policy_url: asked?.privacy_policy_url ?? before?.privacy_policy_url ?? null,
    terms_of_service_url: asked?.terms_of_service_url ?? before?.terms_of_service_url ?? null,
  }
}

type Asked =
  | z.output<typeof createParams>['features']
  | NonNullable<z.output<typeof updateParams>['features']>

function featuresOf(
  asked: Asked,
  before?: Stripe.BillingPortal.Configuration.Features,
): Stripe.BillingPortal.Configuration.Features {
  const updates = asked.customer_update?.allowed_updates
  return {
    customer_update: {
      allowed_updates: (updates === '' ? [] : updates) ?? before?.customer_update.allowed_updates ?? [],
      enabled: asked.customer_update?.enabled ?? before?.customer_update.enabled ?? false,
    },
    invoice_history: { enabled: asked.invoice_history?.enabled ?? before?.invoice_history.enabled ?? false },
    payment_method_update: {
      enabled: asked.payment_method_update?.enabled ?? before?.payment_method_update.enabled ?? false,
      payment_method_configuration: null,
    },
    subscription_cancel: {
      cancellation_reason: { enabled: false, feedback_options: null, options: [] },
      enabled: asked.subscription_cancel?.enabled ?? before?.subscription_cancel.enabled ?? false,
      mode: 'at_period_end',
      proration_behavior: 'none',
    },
    subscription_pause: { duration: { interval_options: [], type: 'indefinite' }, enabled: false },
    subscription_update: {
      billing_cycle_anchor: null,
      default_allowed_updates: [],
      enabled: asked.subscription_update?.enabled ?? before?.subscription_update.enabled ?? false,
      proration_behavior: 'none',
      schedule_at_period_end: { conditions: [] },
      trial_update_behavior: 'end_trial',
    },
  }
}

/** A session's page works for an hour after it was made. */
const openFor = 3_600

export function showPortal(world: World, id: string, said?: string): PageAnswer {
  const session = world.tables.portals.get(id)
  const now = Math.floor(world.clock.now() / 1_000)
  if (!session || session.created + openFor < now)
    return { status: 404, html: htmlPage('This page is no longer there', '<p>Ask for it again.</p>') }
  const customer = findCustomer(world, session.customer)
  const { features } = world.find('portalConfigurations', idOf(session.configuration), 'configuration')
  const paysWith = world
    .all('subscriptions')
    .find(
      ({ customer: owner, status }) => owner === customer.id && status !== 'canceled',
    )?.default_payment_method
  const method = paysWith ?? customer.invoice_settings.default_payment_method ?? ''
  const card = world.tables.paymentMethods.get(idOf(method))?.card
  const invoices = world
    .all('invoices')
    .filter(({ customer: owner, status }) => owner === customer.id && status !== 'draft')
    .map(
      ({ number, total, currency, status }) =>
        `<tr><td>${number}</td><td>${money(total, currency)}</td><td>${status}</td></tr>`,
    )
  const cardLabel = `New card instead of ${card ? `•••• ${card.last4}` : 'none'}`
  const may = (one: string) =>
    features.customer_update.enabled && features.customer_update.allowed_updates.includes(one)
  return {
    status: 200,
    html: htmlPage(
      'Billing',
      `${said === undefined ? '' : `<p role="alert">${escaped(said)}</p>`}
<form method="post">
${features.payment_method_update.enabled ? field('number', cardLabel, '') : ''}
${may('address') ? field('country', 'Country (two letters)', customer.address?.country ?? '') : ''}
${may('tax_id') ? field('tax_id', `VAT number (${taxIdsOf(world, customer.id).length} known)`, '') : ''}
<button>Save</button></form>
${features.invoice_history.enabled ? `<h2>Invoices</h2><table>${invoices.join('')}</table>` : ''}
${session.return_url ? `<p><a href="${escaped(session.return_url)}">Back</a></p>` : ''}`,
    ),
  }
}

export function submitPortal(world: World, id: string, body: string): PageAnswer {
  const shown = showPortal(world, id)
  const session = world.tables.portals.get(id)
  if (shown.status !== 200 || !session) return shown
  const typed = new URLSearchParams(body)
  const customer = findCustomer(world, session.customer)
  const number = typed.get('number') ?? ''
  const card = cardNumbered(number)
  if (number !== '' && !card) return showPortal(world, id, 'Your card number is invalid.')
  try {
    world.onClock(customer.test_clock, () => {
      const method = card && attachCard(world, customer, card)
      const country = typed.get('country') ?? ''
      world.change('customer.updated', customer, () => {
        if (method) customer.invoice_settings.default_payment_method = method.id
        if (/^[A-Z]{2}$/.test(country))
          customer.address = { city: null, country, line1: null, line2: null, postal_code: null, state: null }
      })
      const value = typed.get('tax_id') ?? ''
      if (value !== '') addTaxId(world, customer, { type: 'eu_vat', value })
      if (!method) return
      for (const subscription of world.all('subscriptions'))
        if (subscription.customer === customer.id && subscription.default_payment_method)
          world.change('customer.subscription.updated', subscription, () => {
            subscription.default_payment_method = method.id
          })
    })
  } catch (error) {
    if (error instanceof Refusal) return showPortal(world, id, error.message)
    throw error
  }
  return showPortal(world, id, 'Saved.')
}
