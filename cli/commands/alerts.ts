/** `ptun alerts`: what is wrong with the account, and that somebody looks after it. */
import type { Client } from '@porttunneler/shared/api/client'
import type { Alert } from '@porttunneler/shared/api/schemas/alerts'
import { fail } from '@porttunneler/shared/base/errors'
import { alertLine } from '../alert-notice.ts'
import { type Context, connectApi, paintOf, say, tell } from '../context.ts'
import { formatDate, formatTable, type Paint, printable } from '../output/format.ts'

/** More on one screen helps nobody; the console and the API have the others. */
const shownMax = 100
const words: Readonly<Record<Alert['state'], string>> = {
  firing: 'firing',
  acknowledged: 'acknowledged',
  resolved: 'over',
}

type ListWish = { readonly all?: boolean }

/** Those that are open, or with `all` those of the last 90 days. @throws login.*, server.*, and the API's errors */
export async function listAlerts(context: Context, { all = false }: ListWish = {}): Promise<number> {
  const { client } = await connectApi(context)
  const { items, isCut } = all ? await readAll(client) : await readOpen(client)
  for (const alert of items) tell(context, { event: 'alert', ...alert })
  if (items.length === 0) say(context, all ? 'There were no alerts.' : 'Nothing is wrong.')
  else say(context, ...alertTable(items, paintOf(context)))
  if (isCut) say(context, '', 'There are more; the console and the API list them all.')
  return 0
}

/**
 * Others see that somebody looks after it, and nobody is mailed of it but of its end.
 * @param text its id, or the tunnel or host that it is about, if no other open alert is
 * @throws login.*, server.*, api.not_found, alert.over, cli.usage where several fit
 */
export async function acknowledgeAlert(context: Context, text: string): Promise<number> {
  const { client } = await connectApi(context)
  const id = /^alr_\w+$/.test(text) ? text : findAlert((await readOpen(client)).items, text).id
  const alert = await client.actOnAlert(id, { act: 'acknowledge' })
  tell(context, { event: 'alert.acknowledged', ...alert })
  say(context, `Acknowledged: ${alertLine(alert)}.`)
  return 0
}

type Found = { readonly items: readonly Alert[]; readonly isCut: boolean }

async function readAll(client: Client): Promise<Found> {
  const { items, next } = await client.alerts({ limit: shownMax })
  return { items, isCut: next !== undefined }
}

/** Those that fire come first. */
async function readOpen(client: Client): Promise<Found> {
  const [firing, acknowledged] = await Promise.all([
    client.alerts({ limit: shownMax, state: 'firing' }),
    client.alerts({ limit: shownMax, state: 'acknowledged' }),
  ])
  const isCut = firing.next !== undefined || acknowledged.next !== undefined
  return { items: [...firing.items, ...acknowledged.items], isCut }
}

function findAlert(open: readonly Alert[], text: string): Alert {
  const found = open.filter(({ id, name, subject }) => [id, name, subject].includes(text))
  const [first, ...others] = found
  if (others.length > 0)
    throw fail(
      'cli.usage',
      `${found.length} alerts are about "${text}". Name one by its id, as "ptun alerts list" shows it.`,
    )
  if (!first) throw fail('api.not_found', `No open alert is about "${text}".`)
  return first
}

function alertTable(items: readonly Alert[], paint: Paint): readonly string[] {
  const head = ['ALERT', 'ABOUT', 'STATE', 'SINCE', 'CODE', 'ID'].map((title) => paint('dim', title))
  const colours = { firing: 'red', acknowledged: 'yellow', resolved: 'green' } as const
  const rows = items.map(({ id, title, name, state, unsteady, since, code }) => [
    printable(title),
    printable(name),
    paint(colours[state], unsteady ? `${words[state]}, comes and goes` : words[state]),
    formatDate(since),
    printable(code ?? ''),
    id,
  ])
  return formatTable([head, ...rows])
}
