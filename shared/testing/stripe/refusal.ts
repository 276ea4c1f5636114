/** Errors in the shapes in which Stripe's API has them (docs.stripe.com/api/errors). */

export type ErrorType = 'api_error' | 'card_error' | 'idempotency_error' | 'invalid_request_error'

/** What the body's `error` has. */
export type ErrorBody = {
  readonly type: ErrorType
  readonly message: string
  readonly code?: string
  readonly param?: string
  readonly decline_code?: string
  readonly charge?: string
  readonly payment_intent?: object
  readonly payment_method?: object
}

export class Refusal extends Error {
  readonly status: number
  readonly body: ErrorBody
  constructor(status: number, body: ErrorBody) {
    super(body.message)
    this.status = status
    this.body = body
  }
}

/** 400 for a request that is wrong in itself. */
export function invalid(message: string, { param, code }: { param?: string; code?: string } = {}): Refusal {
  return new Refusal(400, {
    type: 'invalid_request_error',
    message,
    ...(code !== undefined && { code }),
    ...(param !== undefined && { param }),
  })
}

/** Stripe answers 404 for an id in the path, and 400 for one in a parameter. */
export function noSuch(kind: string, id: string, param = 'id'): Refusal {
  return new Refusal(param === 'id' ? 404 : 400, {
    type: 'invalid_request_error',
    code: 'resource_missing',
    message: `No such ${kind}: '${id}'`,
    param,
  })
}

/** Stripe has it, this server does not: a test that needs it has to build it first. */
export function notBuilt(what: string): Refusal {
  return invalid(`The test server does not have this: ${what}`, { code: 'test_server_lacks' })
}
