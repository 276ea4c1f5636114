/** Customers, their balance and their tax ids. */
import type { Stripe } from 'stripe'
import { z } from 'zod'
import { isWithin, page, whole } from './pages.ts'
import { anyMetadata, createdRange, currency, empty, int, none, paging, params, text } from './params.ts'
import { invalid } from './refusal.ts'
import { type Route, route } from './routes.ts'
import { mergedMetadata, type World } from './world.ts'

const address = params<Stripe.AddressParam>()({
  city: z.string().optional(),
  country: z
    .string()
    .regex(/^([A-Z]{2})?$/, 'Invalid country')
    .optional(),
  line1: z.string().optional(),
  line2: z.string().optional(),
  postal_code: z.string().optional(),
  state: z.string().optional(),
})
const common = {
  address: z.union([empty, address]).optional(),
  balance: int.optional(),
  description: z.string().optional(),
  email: z.union([empty, z.email('Invalid email address').max(512)]).optional(),
  metadata: anyMetadata.optional(),
  name: z.string().max(256).optional(),
  phone: z.string().max(20).optional(),
  tax_exempt: z.enum(['', 'none', 'exempt', 'reverse']).optional(),
}
const createParams = params<Stripe.CustomerCreateParams>()({
  ...common,
  test_clock: text.optional(),
})
const updateParams = params<Stripe.CustomerUpdateParams>()({
  ...common,
  invoice_settings: z.strictObject({ default_payment_method: text.optional() }).optional(),
})
const listParams = params<Stripe.CustomerListParams & Stripe.PaginationParams>()({
  ...paging,
  created: createdRange.optional(),
  email: text.optional(),
  test_clock: text.optional(),
})
const balanceParams = params<Stripe.CustomerCreateBalanceTransactionParams>()({
  amount: int,
  currency,
  description: text.optional(),
  metadata: anyMetadata.optional(),
})
const taxIdForms: Readonly<Record<string, RegExp>> = {
  eu_vat: /^[A-Z]{2}[A-Z0-9]{2,12}$/,
  gb_vat: /^GB[0-9]{9}$/,
  us_ein: /^[0-9]{2}-[0-9]{7}$/,
}
const taxIdParams = params<Stripe.TaxIdCreateParams>()({
  type: z.string().refine((type) => Object.hasOwn(taxIdForms, type), 'Invalid tax id type'),
  value: text,
})

export const customerRoutes: readonly Route[] = [
  route('POST /v1/customers', createParams, (world, asked) => {
    if (asked.test_clock !== undefined) world.find('clocks', asked.test_clock, 'test clock', 'test_clock')
    return world.onClock(asked.test_clock, () => createCustomer(world, asked))
  }),
  route('GET /v1/customers', listParams, (world, asked) => {
    const found = world
      .all('customers')
      .filter(
        ({ email, created, test_clock: clock }) =>
          (asked.email === undefined || email === asked.email) &&
          isWithin(created, asked.created) &&
          (asked.test_clock === undefined ? !clock : clock === asked.test_clock),
      )
    return page(found, asked, '/v1/customers')
  }),
  route('GET /v1/customers/:id', none, (world, _, id = '') => {
    const gone = deletedCustomers(world).get(id)
    return gone ?? findCustomer(world, id)
  }),
  route('POST /v1/customers/:id', updateParams, (world, asked, id = '') => {
    const customer = findCustomer(world, id)
    checkDefault(world, customer, asked.invoice_settings?.default_payment_method)
    return world.onClock(customer.test_clock, () => {
      world.change('customer.updated', customer, () => apply(customer, asked))
      if (asked.balance !== undefined && asked.balance !== customer.balance)
        moveBalance(world, customer, { amount: asked.balance - customer.balance, type: 'adjustment' })
      return customer
    })
  }),
  route('GET /v1/customers/:id/balance_transactions', z.strictObject(paging), (world, asked, id = '') => {
    findCustomer(world, id)
    const found = world.all('balances').filter(({ customer }) => customer === id)
    return page(found, asked, `/v1/customers/${id}/balance_transactions`)
  }),
  route('POST /v1/customers/:id/balance_transactions', balanceParams, (world, asked, id = '') => {
    const customer = findCustomer(world, id)
    if (customer.currency && customer.currency !== asked.currency)
      throw invalid(`The customer's currency is ${customer.currency}`, { param: 'currency' })
    customer.currency = asked.currency
    return world.onClock(customer.test_clock, () =>
      moveBalance(world, customer, {
        amount: asked.amount,
        type: 'adjustment',
        description: asked.description ?? null,
        metadata: mergedMetadata(null, asked.metadata),
      }),
    )
  }),
  route('POST /v1/customers/:id/tax_ids', taxIdParams, (world, asked, id = '') =>
    addTaxId(world, findCustomer(world, id), asked),
  ),
  route('GET /v1/customers/:id/tax_ids', z.strictObject(paging), (world, asked, id = '') => {
    findCustomer(world, id)
    return page(taxIdsOf(world, id), asked, `/v1/customers/${id}/tax_ids`)
  }),
  route('DELETE /v1/customers/:id/tax_ids/:id', none, (world, _, customer = '', id = '') => {
    const taxId = world.find('taxIds', id, 'tax id')
    if (taxId.customer === customer) world.tables.taxIds.delete(id)
    world.emit('customer.tax_id.deleted', taxId)
    return { id, object: 'tax_id', deleted: true } satisfies Stripe.DeletedTaxId
  }),
]

/** @param param the parameter that named it @throws Refusal also for one that was deleted */
export function findCustomer(world: World, id: string, param = 'id'): Stripe.Customer {
  return world.find('customers', id, 'customer', param)
}

export function createCustomer(world: World, asked: z.output<typeof createParams>): Stripe.Customer {
  const customer: Stripe.Customer = {
    id: world.id('cus'),
    object: 'customer',
    address: null,
    balance: 0,
    created: world.now(),
    currency: null,
    customer_account: null,
    default_source: null,
    delinquent: false,
    description: null,
    discount: null,
    email: null,
    invoice_prefix: world.id('x', 8).slice(2).toUpperCase(),
    invoice_settings: {
      custom_fields: null,
      default_payment_method: null,
      footer: null,
      rendering_options: null,
    },
    livemode: false,
    metadata: {},
    name: null,
    next_invoice_sequence: 1,
    phone: null,
    preferred_locales: [],
    shipping: null,
    tax_exempt: 'none',
    test_clock: asked.test_clock ?? null,
  }
  apply(customer, asked)
  if (asked.balance) throw invalid('Set the balance by a balance transaction', { param: 'balance' })
  world.keep('customers', customer)
  world.emit('customer.created', customer)
  return customer
}

type Change = z.output<typeof updateParams>

function apply(customer: Stripe.Customer, asked: Change): void {
  if (asked.address !== undefined) customer.address = asked.address === '' ? null : addressOf(asked.address)
  if (asked.email !== undefined) customer.email = asked.email || null
  if (asked.name !== undefined) customer.name = asked.name || null
  if (asked.phone !== undefined) customer.phone = asked.phone || null
  if (asked.description !== undefined) customer.description = asked.description || null
  if (asked.tax_exempt !== undefined) customer.tax_exempt = asked.tax_exempt || 'none'
  customer.metadata = mergedMetadata(customer.metadata, asked.metadata)
  const card = asked.invoice_settings?.default_payment_method
  if (card !== undefined) customer.invoice_settings.default_payment_method = card
}

function addressOf(asked: z.output<typeof address>): Stripe.Address {
  return {
    city: asked.city || null,
    country: asked.country || null,
    line1: asked.line1 || null,
    line2: asked.line2 || null,
    postal_code: asked.postal_code || null,
    state: asked.state || null,
  }
}

function checkDefault(world: World, customer: Stripe.Customer, card: string | undefined): void {
  if (card === undefined) return
  const param = 'invoice_settings[default_payment_method]'
  if (world.find('paymentMethods', card, 'PaymentMethod', param).customer !== customer.id)
    throw invalid(`The customer does not have a payment method with the ID ${card}.`, { param })
}

export type BalanceMove = {
  /** Above 0: the customer owes more; below: has credit. */
  readonly amount: number
  readonly type: Stripe.CustomerBalanceTransaction['type']
  readonly invoice?: string | null
  readonly creditNote?: string | null
  readonly description?: string | null
  readonly metadata?: Stripe.Metadata
}

export function moveBalance(
  world: World,
  customer: Stripe.Customer,
  { amount, type, invoice = null, creditNote = null, description = null, metadata = {} }: BalanceMove,
): Stripe.CustomerBalanceTransaction {
  const ending = customer.balance + amount
  world.change('customer.updated', customer, () => {
    customer.balance = ending
  })
  const moved: Stripe.CustomerBalanceTransaction = {
    id: world.id('cbtxn', 24),
    object: 'customer_balance_transaction',
    amount,
    checkout_session: null,
    created: world.now(),
    credit_note: creditNote,
    currency: customer.currency ?? 'usd',
    customer: customer.id,
    customer_account: null,
    description,
    ending_balance: ending,
    invoice,
    livemode: false,
    metadata,
    type,
  }
  return world.keep('balances', moved)
}

/** @throws Refusal for a value that no office gives out */
export function checkTaxId(type: string, value: string): void {
  if (!taxIdForms[type]?.test(value))
    throw invalid(`Invalid value for ${type}.`, { param: 'value', code: 'tax_id_invalid' })
}

export function addTaxId(
  world: World,
  customer: Stripe.Customer,
  { type, value }: { type: string; value: string },
): Stripe.TaxId {
  checkTaxId(type, value)
  const taxId: Stripe.TaxId = {
    id: world.id('txi', 24),
    object: 'tax_id',
    country: type === 'eu_vat' ? value.slice(0, 2) : null,
    created: world.now(),
    customer: customer.id,
    customer_account: null,
    livemode: false,
    owner: { customer: customer.id, customer_account: null, type: 'customer' },
    type,
    value,
    verification: { status: 'verified', verified_address: null, verified_name: null },
  }
  world.keep('taxIds', taxId)
  world.emit('customer.tax_id.created', taxId)
  return taxId
}

export function taxIdsOf(world: World, customer: string): Stripe.TaxId[] {
  return world.all('taxIds').filter((taxId) => taxId.customer === customer)
}

const deleted = new WeakMap<World, Map<string, Stripe.DeletedCustomer>>()

/** Those that are gone can still be read: as an id that says so. */
export function deletedCustomers(world: World): Map<string, Stripe.DeletedCustomer> {
  const found = deleted.get(world) ?? new Map<string, Stripe.DeletedCustomer>()
  deleted.set(world, found)
  return found
}

export function includeInCustomers(world: World): void {
  world.includes('customer.tax_ids', ({ id }) =>
    whole(taxIdsOf(world, String(id)), `/v1/customers/${String(id)}/tax_ids`),
  )
  world.includes('customer.subscriptions', ({ id }) =>
    whole(
      world.all('subscriptions').filter(({ customer, status }) => customer === id && status !== 'canceled'),
      `/v1/customers/${String(id)}/subscriptions`,
    ),
  )
}
