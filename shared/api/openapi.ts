/** The description of the API (OpenAPI 3.1), made from the routes themselves. */
import { type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Settings } from '../control/control.ts'
import type { ApiEnv } from './kit.ts'
import { problemSchema } from './schemas/common.ts'

const intro = `Everything the console does can be done here. Send \`Authorization: Bearer\` with an API key
(\`pts_…\`) or a token of a signed-in person. Errors are problem documents (RFC 9457) with a stable code that has a
page of its own. Lists are paged by cursor. POST takes an \`Idempotency-Key\`, so that a repeated request does nothing
twice.`

export function describeApi(app: OpenAPIHono<ApiEnv>, { issuer, docsUrl, version }: Settings): object {
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer' })
  app.openAPIRegistry.registerComponent('securitySchemes', 'relay', { type: 'http', scheme: 'bearer' })
  // Not `register`: that wants a schema made after the library was loaded, and who loads first is not ours to say.
  const { $schema: _, ...problemShape } = z.toJSONSchema(problemSchema)
  app.openAPIRegistry.registerComponent('schemas', 'Problem', problemShape as object)
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: 'PortTunneler', version, description: intro },
    servers: [{ url: issuer }],
    externalDocs: { url: `${docsUrl}/errors`, description: 'Every code, its cause and its cure' },
  })
  const problem = {
    description: 'A problem document; its code says what happened',
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  }
  for (const path of Object.values(document.paths ?? {}))
    for (const operation of [path.get, path.post, path.patch, path.delete])
      if (operation) operation.responses = { ...operation.responses, default: problem }
  return document
}
