/** Alerts, their rules, and windows of maintenance. */

import type { AlertRulesDoc, WindowDoc } from '../../control/alerts/alert-documents.ts'
import {
  actOnAlert,
  countAlerts,
  describeAlert,
  listAlerts,
  readAlert,
} from '../../control/alerts/alerting.ts'
import { addWindow, describeRules, readRules, removeWindow, setRules } from '../../control/alerts/rules.ts'
import type { Cursors } from '../cursors.ts'
import { etagOf, requireNoRevision, revisionOf } from '../etags.ts'
import { emptyAnswer, jsonAnswer, jsonBody, RouteGroup, route } from '../kit.ts'
import * as schemas from '../schemas/alerts.ts'
import { pageQuerySchema, pageSchema } from '../schemas/common.ts'

const tags = ['Alerts']
const read = { permission: 'tunnels.read' } as const
const act = { permission: 'tunnels.write' } as const
const manage = { permission: 'account.update' } as const

const alertRoutes = {
  list: route({
    tags,
    access: read,
    method: 'get',
    path: '/v1/alerts',
    viewable: true,
    operationId: 'listAlerts',
    summary: 'Alerts of the account; those that changed last come first',
    request: { query: pageQuerySchema.extend(schemas.alertQuerySchema.shape) },
    responses: { 200: jsonAnswer(pageSchema(schemas.alertSchema), 'A page of alerts') },
  }),
  count: route({
    tags,
    access: read,
    method: 'get',
    path: '/v1/alerts/count',
    viewable: true,
    operationId: 'countAlerts',
    summary: 'How many alerts are open, and the newest that nobody has acknowledged',
    responses: { 200: jsonAnswer(schemas.alertCountSchema, 'The counts') },
  }),
  read: route({
    tags,
    access: read,
    method: 'get',
    path: '/v1/alerts/{alert}',
    viewable: true,
    operationId: 'readAlert',
    summary: 'One alert with what has happened to it',
    request: { params: schemas.alertParamsSchema },
    responses: { 200: jsonAnswer(schemas.alertSchema, 'The alert') },
  }),
  act: route({
    tags,
    access: act,
    method: 'post',
    path: '/v1/alerts/{alert}',
    operationId: 'actOnAlert',
    summary: 'Acknowledge an alert, close it by hand, or mute it',
    description:
      'One that was closed by hand opens again when there is new trouble. A muted one changes and tells nobody.',
    request: { params: schemas.alertParamsSchema, ...jsonBody(schemas.alertActSchema) },
    responses: { 200: jsonAnswer(schemas.alertSchema, 'The alert afterwards') },
  }),
}

const ruleRoutes = {
  list: route({
    tags,
    access: read,
    method: 'get',
    path: '/v1/alert-rules',
    viewable: true,
    operationId: 'listAlertRules',
    summary: 'When alerts are made: the usual rules, and what the account has changed',
    responses: { 200: jsonAnswer(schemas.rulesSchema, 'The rules; the revision is the ETag') },
  }),
  set: route({
    tags,
    access: manage,
    method: 'patch',
    path: '/v1/alert-rules',
    operationId: 'setAlertRules',
    summary: 'Change the rules: those that are not given are as usual again',
    description: 'The narrowest counts: one for a tunnel before one for a tag. Honours If-Match.',
    request: jsonBody(schemas.rulesWishSchema),
    responses: { 200: jsonAnswer(schemas.rulesSchema, 'The rules') },
  }),
  windows: route({
    tags,
    access: read,
    method: 'get',
    path: '/v1/maintenance',
    viewable: true,
    operationId: 'listMaintenance',
    summary: 'Times of maintenance, now and to come',
    responses: { 200: jsonAnswer(schemas.windowsSchema, 'The windows') },
  }),
  addWindow: route({
    tags,
    access: act,
    method: 'post',
    path: '/v1/maintenance',
    operationId: 'addMaintenance',
    summary: 'Announce maintenance: until its end nobody is told of trouble with these tunnels',
    request: jsonBody(schemas.windowWishSchema),
    responses: { 201: jsonAnswer(schemas.windowSchema, 'The window') },
  }),
  removeWindow: route({
    tags,
    access: act,
    method: 'delete',
    path: '/v1/maintenance/{window}',
    operationId: 'removeMaintenance',
    summary: 'End maintenance now',
    request: { params: schemas.windowParamsSchema },
    responses: emptyAnswer('Ended'),
  }),
}

export function alertRoutesOf(cursors: Cursors): RouteGroup {
  return new RouteGroup()
    .add(alertRoutes.list, async (c, { caller, control }) => {
      const { state, ...query } = c.req.valid('query')
      const scope = { account: caller.account, list: `alerts ${state ?? ''}` }
      const page = await cursors.page(scope, query, {
        read: (options) => listAlerts(control, caller, { state, ...options }),
        describe: (found) => found.map(describeAlert),
      })
      return c.json(page, 200)
    })
    .add(alertRoutes.count, async (c, { caller, control }) => c.json(await countAlerts(control, caller), 200))
    .add(alertRoutes.read, async (c, { caller, control }) =>
      c.json(describeAlert(await readAlert(control, caller, c.req.valid('param').alert)), 200),
    )
    .add(alertRoutes.act, async (c, { caller, control }) => {
      const wish = { id: c.req.valid('param').alert, act: c.req.valid('json') }
      return c.json(describeAlert(await actOnAlert(control, caller, wish)), 200)
    })
}

export function alertRuleRoutes(): RouteGroup {
  return new RouteGroup()
    .add(ruleRoutes.list, async (c, { caller, control }) => {
      const rules = await readRules(control, caller)
      c.header('etag', etagOf(rules))
      return c.json(toldRules(rules), 200)
    })
    .add(ruleRoutes.set, async (c, { caller, control }) => {
      const ifRevision = revisionOf(c.req.header('if-match'))
      const rules = await setRules(control, caller, { wish: c.req.valid('json'), ifRevision })
      c.header('etag', etagOf(rules))
      return c.json(toldRules(rules), 200)
    })
    .add(ruleRoutes.windows, async (c, { caller, control }) => {
      const { windows } = await readRules(control, caller)
      const nowMs = control.clock.now()
      return c.json({ items: windows.filter(({ until }) => until > nowMs).map(describeWindow) }, 200)
    })
    .add(ruleRoutes.addWindow, async (c, { caller, control }) =>
      c.json(describeWindow(await addWindow(control, caller, c.req.valid('json'))), 201),
    )
    .add(ruleRoutes.removeWindow, async (c, { caller, control }) => {
      requireNoRevision(c.req.header('if-match'))
      await removeWindow(control, caller, c.req.valid('param').window)
      return c.body(null, 204)
    })
}

function toldRules(rules: AlertRulesDoc) {
  return { items: describeRules(rules), revision: rules.revision }
}

function describeWindow({ tunnel, ...window }: WindowDoc) {
  return { ...window, ...(tunnel !== '' && { tunnel }) }
}
