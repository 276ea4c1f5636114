/** The text that a person sees when the server starts, and `standalone.json`, where scripts read the same. */
import { styleText } from 'node:util'
import { z } from 'zod'

/** The shape of standalone.json. Present while the server runs; mode 0600, since it may hold the first password. */
const reportSchema = z.object({
  console: z.string(),
  api: z.string(),
  pid: z.int(),
  /** Only on the first start: the password is stored nowhere else. */
  account: z.object({ email: z.string(), password: z.string() }).optional(),
  demo: z.object({ http: z.string(), tcp: z.string() }).optional(),
})
export type Report = z.infer<typeof reportSchema>

export type Welcome = {
  readonly report: Report
  readonly dataFolder: string
  /** Whether only this machine reaches the server. */
  readonly isLoopback: boolean
  /** Whether `ptun` finds the server without being told its address. */
  readonly isDefaultServer: boolean
  /** How the server gets HTTPS, where it has none that browsers trust. */
  readonly advice?: string
  /** Why the demo tunnels are missing although they should be there. */
  readonly demoProblem?: string
}

type Style = 'bold' | 'dim' | 'green' | 'yellow' | 'red'
/** Colours a text, or returns it unchanged. */
export type Paint = (style: Style, text: string) => string

export const paintFor =
  (stream: NodeJS.WritableStream): Paint =>
  (style, text) =>
    styleText(style, text, { stream, validateStream: true })

/** The lines after a finished start. */
export function welcome(facts: Welcome, paint: Paint): string {
  const { report, dataFolder, isLoopback, isDefaultServer, advice, demoProblem } = facts
  const row = rowPainter(paint)
  const lines = [
    `  ${paint('bold', 'PortTunneler is running.')}`,
    '',
    row('Console', paint('green', report.console)),
  ]
  if (report.account) lines.push(accountRows(facts, paint).trimEnd())
  if (report.demo) {
    const { http, tcp } = report.demo
    lines.push(row('Demo, HTTP', paint('green', http)))
    lines.push(row('Demo, TCP', paint('green', tcp), `an echo: nc ${tcp.replace(':', ' ')}`))
  }
  if (demoProblem !== undefined) lines.push(row('Demo', paint('yellow', demoProblem)))
  const login = isDefaultServer ? 'npx porttunneler login' : `npx porttunneler login --server ${report.api}`
  lines.push('', row('Next', `${login} && npx porttunneler http 3000`), '')
  if (isLoopback) {
    const how = `Reached from this machine only; "bind" and "host" in ${dataFolder}/standalone.yaml open it.`
    lines.push(`  ${paint('dim', how)}`)
  }
  if (advice !== undefined) lines.push(`  ${paint('dim', advice)}`)
  lines.push(`  ${paint('dim', `Data and logs: ${dataFolder}. Ctrl-C stops.`)}`, '')
  return `\n${lines.join('\n')}\n`
}

/** Only the first account: it must be shown even when the start was interrupted. Empty when there is none to show. */
export function accountRows({ report: { account } }: Pick<Welcome, 'report'>, paint: Paint): string {
  if (!account) return ''
  const row = rowPainter(paint)
  const password = row('Password', paint('bold', account.password), 'shown this once')
  return `${row('Account', account.email)}\n${password}\n`
}

function rowPainter(paint: Paint) {
  return (name: string, value: string, note = '') =>
    `  ${paint('dim', name.padEnd(11))} ${value}${note === '' ? '' : `   ${paint('dim', note)}`}`
}

/** A failure that a person can act on: number and title, what happened here, what to do. */
export function failureText(
  failure: {
    readonly code: string
    readonly detail: string
    readonly entry: { readonly title: string; readonly cure: string }
  },
  paint: Paint,
): string {
  const { code, detail, entry } = failure
  return `${paint('red', `${code} ${entry.title}`)}\n  ${detail}\n  ${paint('bold', 'Cure:')} ${entry.cure}\n`
}
