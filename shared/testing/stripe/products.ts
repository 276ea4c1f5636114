/** Products. */
import type { Stripe } from 'stripe'
import { z } from 'zod'
import { isWithin, page } from './pages.ts'
import { anyMetadata, createdRange, empty, flag, metadata, none, paging, params, text } from './params.ts'
import { invalid } from './refusal.ts'
import { type Route, route } from './routes.ts'
import { mergedMetadata } from './world.ts'

const createParams = params<Stripe.ProductCreateParams>()({
  name: text,
  id: text.optional(),
  active: flag.optional(),
  description: text.optional(),
  metadata: metadata.optional(),
  tax_code: text.optional(),
  unit_label: text.max(12).optional(),
})
const orEmpty = z.union([empty, text])
const updateParams = params<Stripe.ProductUpdateParams>()({
  name: text.optional(),
  active: flag.optional(),
  description: orEmpty.optional(),
  default_price: text.optional(),
  metadata: anyMetadata.optional(),
  tax_code: orEmpty.optional(),
  unit_label: orEmpty.optional(),
})
const listParams = params<Stripe.ProductListParams & Stripe.PaginationParams>()({
  ...paging,
  active: flag.optional(),
  created: createdRange.optional(),
  ids: z.array(text).optional(),
})

export const productRoutes: readonly Route[] = [
  route('POST /v1/products', createParams, (world, asked) => {
    if (asked.id !== undefined && world.tables.products.has(asked.id))
      throw invalid(`Product already exists.`, { param: 'id', code: 'resource_already_exists' })
    const product: Stripe.Product = {
      id: asked.id ?? world.id('prod'),
      object: 'product',
      active: asked.active ?? true,
      created: world.now(),
      default_price: null,
      description: asked.description ?? null,
      images: [],
      livemode: false,
      marketing_features: [],
      metadata: mergedMetadata(null, asked.metadata),
      name: asked.name,
      package_dimensions: null,
      shippable: null,
      statement_descriptor: null,
      tax_code: asked.tax_code ?? null,
      tax_details: null,
      type: 'service',
      unit_label: asked.unit_label ?? null,
      updated: world.now(),
      url: null,
    }
    world.keep('products', product)
    world.emit('product.created', product)
    return product
  }),
  route('GET /v1/products', listParams, (world, asked) => {
    const found = world
      .all('products')
      .filter(
        ({ id, active, created }) =>
          (asked.active === undefined || active === asked.active) &&
          (!asked.ids || asked.ids.includes(id)) &&
          isWithin(created, asked.created),
      )
    return page(found, asked, '/v1/products')
  }),
  route('GET /v1/products/:id', none, (world, _, id = '') => world.find('products', id, 'product')),
  route('POST /v1/products/:id', updateParams, (world, asked, id = '') => {
    const product = world.find('products', id, 'product')
    if (asked.default_price !== undefined) {
      const price = world.find('prices', asked.default_price, 'price', 'default_price')
      if (price.product !== id)
        throw invalid('The price belongs to another product', { param: 'default_price' })
    }
    world.change('product.updated', product, () => {
      product.name = asked.name ?? product.name
      product.active = asked.active ?? product.active
      product.default_price = asked.default_price ?? product.default_price ?? null
      if (asked.description !== undefined) product.description = asked.description || null
      if (asked.tax_code !== undefined) product.tax_code = asked.tax_code || null
      if (asked.unit_label !== undefined) product.unit_label = asked.unit_label || null
      product.metadata = mergedMetadata(product.metadata, asked.metadata)
      product.updated = world.now()
    })
    return product
  }),
  route('DELETE /v1/products/:id', none, (world, _, id = '') => {
    const product = world.find('products', id, 'product')
    if (world.all('prices').some((price) => price.product === id))
      throw invalid('This product cannot be deleted because it has one or more user-created prices.')
    world.tables.products.delete(id)
    world.emit('product.deleted', product)
    return { id, object: 'product', deleted: true } satisfies Stripe.DeletedProduct
  }),
]
