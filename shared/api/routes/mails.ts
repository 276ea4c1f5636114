/**
 * Turning mails of one kind off by the link in them (RFC 8058), or off and on by their signed-in reader, and the mails
 * that a server keeps for its operators. Crosses accounts: an address belongs to none. The link needs no sign-in, and a
 * mail program that follows it by itself (GET) changes nothing.
 */
import { z } from 'zod'
import { fail } from '../../base/errors.ts'
import type { Control } from '../../control/control.ts'
import { turnOff } from '../../control/mail/addresses.ts'
import { type Purpose, purposes, purposeWords } from '../../control/mail/templates.ts'
import { readMailWishes, wishMails } from '../../control/mail/wishes.ts'
import { listKeptMails, readKeptMail } from '../../control/operator/kept-mails.ts'
import { plainPage, refusalPage } from '../error-pages.ts'
import { requireNoRevision } from '../etags.ts'
import { type ApiDeps, jsonAnswer, jsonBody, RouteGroup, route, sourceReader } from '../kit.ts'
import {
  keptMailBodySchema,
  keptMailParamsSchema,
  keptMailsSchema,
  mailWishesSchema,
  mailWishParamsSchema,
  mailWishSchema,
} from '../schemas/mails.ts'

const paramsSchema = z.object({ token: z.string().max(200) })
const access = { public: 'The signature of the link is the proof.' } as const
const tags = ['Mails']

const routes = {
  show: route({
    method: 'get',
    path: '/v1/mails/off/{token}',
    operationId: 'showMailsOff',
    summary: 'A page that asks whether to turn these mails off',
    tags,
    access,
    request: { params: paramsSchema },
    responses: { 200: { description: 'The page' }, 400: { description: 'A page: the link is not complete' } },
  }),
  off: route({
    method: 'post',
    path: '/v1/mails/off/{token}',
    operationId: 'turnMailsOff',
    summary: 'Turn these mails off, as mail programs do with one click',
    description:
      'Whatever the body says. Mails that an account or its safety depends on cannot be turned off.',
    tags,
    access,
    request: { params: paramsSchema },
    responses: {
      200: { description: 'A page: they are off' },
      400: { description: 'A page: the link is not complete' },
    },
  }),
  wishes: route({
    method: 'get',
    path: '/v1/person/mails',
    operationId: 'readMailWishes',
    summary: 'Which mails the signed-in person gets',
    tags,
    access: { signedIn: 'person' },
    responses: { 200: jsonAnswer(mailWishesSchema, 'Every kind of mail') },
  }),
  wish: route({
    method: 'patch',
    path: '/v1/person/mails/{purpose}',
    operationId: 'wishMails',
    summary: 'Turn mails of one kind off or on again',
    description: 'As the link in such a mail does. Mails that an account or its safety depends on stay on.',
    tags,
    access: { signedIn: 'person' },
    request: { params: mailWishParamsSchema, ...jsonBody(mailWishSchema) },
    responses: { 200: jsonAnswer(mailWishesSchema, 'The same afterwards') },
  }),
  kept: route({
    method: 'get',
    path: '/v1/mails',
    operationId: 'listKeptMails',
    summary: 'Mails that a server without a mail server keeps, the newest first',
    description: 'For operators of the server, in person.',
    tags,
    access: { signedIn: 'person' },
    responses: { 200: jsonAnswer(keptMailsSchema, 'The newest hundred') },
  }),
  read: route({
    method: 'get',
    path: '/v1/mails/{mail}',
    operationId: 'readKeptMail',
    summary: 'One of them; the audit log of the service has it',
    description: 'For operators of the server, in person.',
    tags,
    access: { signedIn: 'person' },
    fresh: true,
    request: { params: keptMailParamsSchema },
    responses: { 200: jsonAnswer(keptMailBodySchema, 'The mail') },
  }),
}

export function mailRoutes(deps: ApiDeps): RouteGroup {
  const { control } = deps
  const sourceOf = sourceReader(deps)
  return new RouteGroup()
    .add(routes.wishes, async (c, { signedIn }) =>
      c.json(await readMailWishes(control, signedIn.person), 200),
    )
    .add(routes.wish, async (c, { signedIn }) => {
      requireNoRevision(c.req.header('if-match'))
      const named = c.req.valid('param').purpose
      const purpose = purposes.find((one) => one === named)
      if (!purpose) throw fail('api.not_found', 'There is no such kind of mail.')
      const asked = { purpose, ...c.req.valid('json'), source: sourceOf(c) }
      return c.json(await wishMails(control, signedIn.person, asked), 200)
    })
    .add(routes.show, async (c) => {
      const link = await control.offLinks.read(c.req.valid('param').token)
      return link ? askPage(link.purpose) : refusalPage(fail('mail.off_link'))
    })
    .add(routes.off, async (c) => {
      const link = await control.offLinks.read(c.req.valid('param').token)
      if (!link) return refusalPage(fail('mail.off_link'))
      await turnOff(control, link.id, link.purpose)
      return donePage(control, link.purpose)
    })
    .add(routes.kept, async (c, { signedIn }) =>
      c.json({ items: [...(await listKeptMails(control, signedIn.person))] }, 200),
    )
    .add(routes.read, async (c, { signedIn }) =>
      c.json(await readKeptMail(control, signedIn.person, c.req.valid('param').mail), 200),
    )
}

function askPage(purpose: Purpose): Response {
  const what = purposeWords[purpose]
  return plainPage(
    'Turn mails off',
    `<h1>No more mails about ${what}?</h1>
<p>All other mails still come.</p><form method="post"><button>Turn them off</button></form>`,
  )
}

function donePage({ settings }: Pick<Control, 'settings'>, purpose: Purpose): Response {
  const what = purposeWords[purpose]
  return plainPage(
    'Mails are off',
    `<h1>No more mails about ${what}</h1>
<p>This address gets none from ${new URL(settings.consoleUrl).host} any more. The page Account of the
console turns them on again.</p>`,
  )
}
