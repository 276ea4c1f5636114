/** Feedback for the operator. Its rate is counted beside all accounts', so the group gets the whole control plane. */
import { sendFeedback } from '../../control/feedback.ts'
import { type ApiDeps, emptyAnswer, jsonBody, RouteGroup, route } from '../kit.ts'
import { feedbackSchema } from '../schemas/service.ts'

const send = route({
  method: 'post',
  path: '/v1/feedback',
  operationId: 'sendFeedback',
  summary: 'Tell the operator what you think, 20 times a day at most',
  tags: ['Account'],
  access: { permission: 'account.read' },
  bodyBytesMax: 32 * 1024,
  request: jsonBody(feedbackSchema),
  responses: emptyAnswer('Kept for the operator, with the account'),
})

export function feedbackRoutes({ control: whole }: ApiDeps): RouteGroup {
  return new RouteGroup().add(send, async (c, { caller }) => {
    await sendFeedback(whole, caller, c.req.valid('json'))
    return c.body(null, 204)
  })
}
