/** Takes the place of `@porttunneler/functions/office` in an installed ptunctl: that brings all of Google's SDKs. */
import { fail } from '@porttunneler/shared/base/errors'

export function runInCloud(): never {
  const detail =
    'This ptunctl is for a server of its own machine; for a project at Google, start it from a checkout.'
  throw fail('operator.usage', detail)
}
