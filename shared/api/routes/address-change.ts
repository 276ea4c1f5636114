/** The change of a person's address. Crosses accounts: an address belongs to the person. */
import {
  confirmAddressChange,
  readAddressChange,
  requestAddressChange,
  stopAddressChange,
  withdrawAddressChange,
} from '../../control/address-change/address-change.ts'
import { requireNoRevision } from '../etags.ts'
import { type ApiDeps, emptyAnswer, jsonAnswer, jsonBody, RouteGroup, route, sourceReader } from '../kit.ts'
import {
  addressChangeRequestSchema,
  addressChangeSchema,
  addressChangeTokenSchema,
  addressConfirmedSchema,
} from '../schemas/address-change.ts'

const tags = ['Sign-in']

const routes = {
  read: route({
    method: 'get',
    path: '/v1/address-change',
    viewable: true,
    operationId: 'readAddressChange',
    summary: 'The change of your address that is not complete yet',
    tags,
    access: { signedIn: 'person' },
    responses: { 200: jsonAnswer(addressChangeSchema, 'The open change, if there is one') },
  }),
  request: route({
    method: 'post',
    path: '/v1/address-change',
    operationId: 'requestAddressChange',
    summary: 'Change your address: both mailboxes get a mail to confirm it',
    description:
      'The answer is the same whether or not the new address has an account. An old address that was never confirmed ' +
      'need not confirm. Asking again voids the links from before.',
    tags,
    access: { signedIn: 'person' },
    fresh: true,
    request: jsonBody(addressChangeRequestSchema),
    responses: { 202: { description: 'The mails are on the way' } },
  }),
  withdraw: route({
    method: 'delete',
    path: '/v1/address-change',
    operationId: 'withdrawAddressChange',
    summary: 'Keep your address',
    tags,
    access: { signedIn: 'person' },
    responses: emptyAnswer('The links no longer work'),
  }),
  confirm: route({
    method: 'post',
    path: '/v1/address-change/confirm',
    operationId: 'confirmAddressChange',
    summary: 'Confirm the change with the token of a mail, signed in as the person who asked',
    tags,
    access: { signedIn: 'person' },
    request: jsonBody(addressChangeTokenSchema),
    responses: { 200: jsonAnswer(addressConfirmedSchema, 'Confirmed') },
  }),
  stop: route({
    method: 'post',
    path: '/v1/address-change/stop',
    operationId: 'stopAddressChange',
    summary: 'Stop the change with the token of a mail',
    tags,
    access: { public: 'The token of the mail in the body is the proof.' },
    request: jsonBody(addressChangeTokenSchema),
    responses: emptyAnswer('The address stays'),
  }),
}

export function addressChangeRoutes(deps: ApiDeps): RouteGroup {
  const { control, principals } = deps
  const sourceOf = sourceReader(deps)
  return new RouteGroup()
    .add(routes.read, async (c, { signedIn }) => {
      const found = await readAddressChange(control, signedIn.person)
      if (!found) return c.json({}, 200)
      const { from, to, fromAt, toAt, expiresAt } = found
      const open = { from, to, oldConfirmed: fromAt > 0, newConfirmed: toAt > 0, expiresAt }
      return c.json({ open }, 200)
    })
    .add(routes.request, async (c, { signedIn }) => {
      const { email } = c.req.valid('json')
      await requestAddressChange(control, signedIn.person, { email, source: sourceOf(c) })
      return c.body(null, 202)
    })
    .add(routes.withdraw, async (c, { signedIn }) => {
      requireNoRevision(c.req.header('if-match'))
      await withdrawAddressChange(control, signedIn.person)
      return c.body(null, 204)
    })
    .add(routes.confirm, async (c, { signedIn }) => {
      const { token } = c.req.valid('json')
      const changed = await confirmAddressChange(control, signedIn.person, { token, source: sourceOf(c) })
      principals.forget(signedIn.person.id)
      return c.json({ changed }, 200)
    })
    .add(routes.stop, async (c) => {
      await stopAddressChange(control, c.req.valid('json').token, sourceOf(c))
      return c.body(null, 204)
    })
}
