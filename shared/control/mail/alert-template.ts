/** The mail about alerts: what began, what is unsteady, what is over. Part of the table in templates.ts. */
import { z } from 'zod'
import { declare, quoted } from './declaring.ts'
import { asName, type Content } from './layout.ts'

const itemSchema = z.object({
  title: z.string(),
  name: z.string(),
  news: z.enum(['begun', 'unsteady', 'ended']),
  cause: z.string(),
  cure: z.string(),
  code: z.string(),
  since: z.number(),
  endedAt: z.number(),
})
type Item = z.infer<typeof itemSchema>

const schema = z.object({
  /** '' = the service itself. */
  account: z.string(),
  items: z.array(itemSchema).min(1),
  more: z.int(),
  link: z.string(),
})
type Data = z.infer<typeof schema>

export const alertTemplates = {
  alerts: declare('alerts', schema, (data): Content => {
    const { account, items, more, link } = data
    return {
      subject: subjectOf(data),
      because:
        account === ''
          ? 'you are an operator of this service'
          : `you may change the settings of the account ${quoted(account)}`,
      parts: [
        ...items.map(wordsOf),
        ...(more > 0 ? [`There is news of ${more} more.`] : []),
        { says: 'Look at them, or say that you have seen them, here', link },
      ],
    }
  }),
}

function subjectOf({ account, items, more }: Data): string {
  const whose = account === '' ? '' : ` (${quoted(account)})`
  const [first] = items
  if (first && items.length === 1 && more === 0) return `${headOf(first)}${whose}`
  const count = items.length + more
  const ended = items.filter(({ news }) => news === 'ended').length
  if (more === 0 && ended === count) return `${count} alerts are over${whose}`
  const titles = new Set(items.map(({ title }) => title))
  return titles.size === 1 && first
    ? `${first.title}: ${count} of them${whose}`
    : `News of ${count} alerts${whose}`
}

function headOf({ title, name, news }: Item): string {
  const head = `${title}: ${asName(name)}`
  return news === 'ended' ? `Over: ${head}` : news === 'unsteady' ? `Unsteady: ${head}` : head
}

function wordsOf(item: Item): string {
  const { news, cause, cure, code, since, endedAt } = item
  const head = `${headOf(item)}.`
  if (news === 'ended') return `${head} It lasted from ${timeOf(since)} to ${timeOf(endedAt)}.`
  if (news === 'unsteady')
    return (
      `${head} It keeps failing and coming back, most lately with this: ${asText(cause)} You hear of it again when it has ` +
      'been well for half an hour.'
    )
  const number = code === '' ? '' : ` (${code})`
  return `${head} Since ${timeOf(since)}. ${asText(cause)}${number} ${asText(cure)}`.trimEnd()
}

/** One line, without characters that turn its direction or hide. Causes are ours; a reason inside may be a server's. */
function asText(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ')
    .slice(0, 600)
}

function timeOf(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}
