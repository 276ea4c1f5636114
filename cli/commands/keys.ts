/** `ptun keys list | create | revoke`: API keys of the account. */
import type { Client } from '@porttunneler/shared/api/client'
import { type Scope, scopes } from '@porttunneler/shared/api/schemas/access'
import { type Key, keyNameSchema } from '@porttunneler/shared/api/schemas/accounts'
import { fail } from '@porttunneler/shared/base/errors'
import { type Context, clientFor, connectApi, paintOf, say, serverOf, tell, warn } from '../context.ts'
import { nearest } from '../nearest.ts'
import { formatDate, formatTable, printable } from '../output/format.ts'
import { obtainKey } from './device-flow.ts'

/** @throws login.*, server.*, and the API's errors */
export async function listKeys(context: Context): Promise<number> {
  const { client } = await connectApi(context)
  const keys = await allKeys(client)
  for (const key of keys) tell(context, { event: 'key', ...key })
  const paint = paintOf(context)
  const head = ['ID', 'NAME', 'MAY', 'SECRET', 'CREATED', 'LAST USED', 'VALID UNTIL'].map((title) =>
    paint('dim', title),
  )
  const rows = keys.map((key) => [
    key.id,
    printable(key.name),
    key.scopes.join(', '),
    `…${key.hint}`,
    formatDate(key.createdAt),
    key.lastUsedDay ?? 'never',
    key.expiresAt === undefined ? 'no end' : formatDate(key.expiresAt),
  ])
  if (keys.length === 0) say(context, 'No keys yet. Make one: ptun keys create <name>')
  else say(context, ...formatTable([head, ...rows]))
  return 0
}

/** A person approves it in the console: no key makes another. @throws cli.usage, login.*, server.* */
export async function createKey(
  context: Context,
  name: string,
  { scope, browser }: { readonly scope: readonly string[]; readonly browser: boolean },
): Promise<number> {
  if (!keyNameSchema.safeParse(name).success)
    throw fail('cli.usage', 'A key has a name of 1 to 80 characters.')
  const scopes = parseScopes(scope)
  const server = await serverOf(context)
  const client = await clientFor(context, server)
  // Messages while it waits go to standard error; only the secret goes to standard output, for a pipe.
  const quiet = context.isJson ? context : { ...context, stdout: context.stderr }
  const made = await obtainKey(quiet, client, { server, device: name, scope: scopes.join(' '), browser })
  const { expires_in: seconds } = made
  const end = seconds === undefined ? '' : ` until ${formatDate(context.clock.now() + seconds * 1_000)}`
  warn(context, `Key ${made.key_id} (${made.scope.replaceAll(' ', ', ')}${end}). It is shown this once:`)
  if (end) warn(context, 'Keys without an end are made in the console, for servers and CI.')
  say(context, made.access_token)
  const given = scopes.filter((one) => made.scope.split(' ').includes(one))
  tell(context, { event: 'key.created', id: made.key_id, name, scopes: given, secret: made.access_token })
  return 0
}

/** @param text its id, or its name if no other has it @throws login.*, server.*, api.not_found, cli.usage */
export async function revokeKey(context: Context, text: string): Promise<number> {
  const { client } = await connectApi(context)
  const { id, name } = findKey(await allKeys(client), text)
  await client.revokeKey(id)
  say(context, `Revoked ${id}, ${printable(name)}.`)
  tell(context, { event: 'key.revoked', id })
  return 0
}

/** @throws api.not_found, cli.usage where several have the name */
export function findKey(keys: readonly Key[], text: string): Key {
  const found = keys.filter(({ id, name }) => id === text || name === text)
  const [first, ...others] = found
  if (others.length > 0)
    throw fail(
      'cli.usage',
      `${found.length} keys are called "${text}". Name one by its id, as "ptun keys list" shows it.`,
    )
  if (first) return first
  const guess = nearest(
    text,
    keys.map(({ name }) => name),
  )
  throw fail(
    'api.not_found',
    `There is no key "${text}"${guess ? `; did you mean "${printable(guess)}"?` : '.'}`,
  )
}

function parseScopes(values: readonly string[]): Scope[] {
  return values.map((value) => {
    const scope = scopes.find((one) => one === value)
    if (!scope) throw fail('cli.usage', `--scope takes ${scopes.join(', ')}, not "${value}".`)
    return scope
  })
}

async function allKeys(client: Client): Promise<readonly Key[]> {
  const all: Key[] = []
  let cursor: string | undefined
  do {
    const page = await client.keys({ limit: 100, cursor })
    all.push(...page.items)
    cursor = page.next
  } while (cursor !== undefined)
  return all
}
