/** The OpenAPI 3.1 description of the API, made from the routes themselves. */
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
  // Not `register`: that needs a schema made after the library was loaded, and we do not control the order of loading.
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
  addLimits(document)
  return document
}

/** What a format means here, which the library leaves out: elsewhere it allows e-mail addresses that we refuse. */
const patterns: Readonly<Record<string, string | undefined>> = {
  email: patternOf(z.email()),
  'ipv4-cidr': patternOf(z.cidrv4()),
  'ipv6-cidr': patternOf(z.cidrv6()),
  // It uses this name for both versions.
  ip: `${patternOf(z.ipv4())}|${patternOf(z.ipv6())}`,
}

function patternOf(schema: z.ZodType): string {
  return String(z.toJSONSchema(schema).pattern)
}

/** Larger ones lose their last digits in JSON. */
const intMax = Number.MAX_SAFE_INTEGER

/** Limits that the shapes check and the library does not describe. */
function addLimits(node: unknown): void {
  if (typeof node !== 'object' || node === null) return
  if ('type' in node && node.type === 'integer')
    Object.assign(node, { minimum: -intMax, maximum: intMax, ...node })
  if ('format' in node && 'type' in node && !('pattern' in node)) {
    const pattern = patterns[String(node.format)]
    if (pattern !== undefined) Object.assign(node, { pattern })
  }
  for (const inner of Object.values(node)) addLimits(inner)
}
