/** Tells browsers to come by HTTPS only (RFC 6797). Over plain HTTP, where they ignore it, it must not be sent. */
import type { Hsts } from '@porttunneler/shared/protocol/http-edits'
import type { Stage } from '../pipeline.ts'

const name = 'Strict-Transport-Security'

export function hstsStage({ maxAgeSeconds, includeSubDomains }: Hsts): Stage {
  const value = `max-age=${maxAgeSeconds}${includeSubDomains ? '; includeSubDomains' : ''}`
  return {
    onAnswer: ({ edit, isHttps }) => {
      if (!isHttps) return
      edit.remove(name)
      edit.add(name, value)
    },
  }
}
