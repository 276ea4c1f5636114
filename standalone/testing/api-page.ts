/**
 * Writes docs/api.md: every call of the REST API with the right that it needs, from the API's own description. `npm run
 * docs` runs it; the tidy test compares, so the page in git is never older than the routes.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  permissions,
  permissionsOf,
  permissionsOfKey,
  roles,
  scopes,
} from '@porttunneler/shared/api/schemas/access'
import { z } from 'zod'
import { makeTestApi } from './api.ts'

const path = 'docs/api.md'

const operationSchema = z.looseObject({
  summary: z.string(),
  tags: z.array(z.string()),
  'x-access': z.string(),
  'x-by': z.string().optional(),
  'x-rate': z.string(),
  'x-fresh': z.string().optional(),
  'x-viewable': z.boolean().optional(),
})
type Needs = {
  'x-access': string
  'x-by'?: string | undefined
  'x-fresh'?: string | undefined
  'x-viewable'?: boolean | undefined
}
const documentSchema = z.object({ paths: z.record(z.string(), z.record(z.string(), operationSchema)) })

/** Path in the repository -> text. */
export async function apiPages(): Promise<ReadonlyMap<string, string>> {
  const t = await makeTestApi()
  try {
    const answer = await t.call('GET', '/v1/openapi.json')
    return new Map([[path, page(documentSchema.parse(await answer.json()))]])
  } finally {
    await t.close()
  }
}

function page({ paths }: z.infer<typeof documentSchema>): string {
  const calls = Object.entries(paths).flatMap(([at, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ at, method, ...operation })),
  )
  const rows = calls
    .toSorted((a, b) => `${a.tags[0]}`.localeCompare(`${b.tags[0]}`) || a.at.localeCompare(b.at))
    .map(({ at, method, summary, ...operation }) =>
      line([`\`${method.toUpperCase()} ${at}\``, summary, needsOf(operation), operation['x-rate']]),
    )
  return `${intro}
## Calls

${line(['call', 'what it does', 'needs', 'counts as'])}
${line(['---', '---', '---', '---'])}
${rows.join('\n')}

## Roles

${line(['right', ...roles])}
${line(['---', ...roles.map(() => '---')])}
${permissions.map((one) => line([one, ...roles.map((role) => (permissionsOf(role).has(one) ? 'x' : ''))])).join('\n')}

## Scopes of keys

What a key may do is what its scopes name **and** its owner may do at that moment.

${line(['scope', "rights, of an owner's key"])}
${line(['---', '---'])}
${scopes.map((scope) => line([scope, [...permissionsOfKey([scope], 'owner')].join(', ')])).join('\n')}
`
}

const intro = `# REST API: who may call what

This page is made from the routes (\`npm run docs\`). The full description, OpenAPI 3.1, is at
\`/v1/openapi.json\` of every server. What may change, and how you are told: [versions](api-versions.md).

A request acts for one account. A key belongs to one; a person who is a member of several names one of them in the
header \`PortTunneler-Account\` (\`?account=\` on GET does too). An account that is not the caller's gives 404, like
one that does not exist. "in person" means that an API key is refused, whatever its scopes. A caller has 600 requests a
minute; a "costly" one counts as ten. "fresh" means that the person signed in within the last 15 minutes, or confirmed
that it is them by \`POST /v1/auth/confirm\`; otherwise the answer is [PT-1016](errors/PT-1016.md).
"also in a view" means that an operator who views the account gets it, too
([security](security.md#operators-who-look-at-an-account)).
`

function needsOf(operation: Needs): string {
  const fresh = operation['x-fresh']
  const access = `${accessOf(operation)}${operation['x-viewable'] ? '; also in a view' : ''}`
  if (fresh === undefined) return access
  return fresh === 'always' ? `${access}, fresh` : `${access}; fresh ${fresh}`
}

function accessOf(operation: Needs): string {
  const access = operation['x-access']
  if (access === 'public') return 'nothing'
  if (access === 'relay') return 'the credential of a relay'
  if (access === 'person') return 'a signed-in person'
  return `${access}${operation['x-by'] ? ', in person' : ''}`
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

if (import.meta.main)
  for (const [file, text] of await apiPages()) writeFileSync(join(import.meta.dirname, '../..', file), text)
