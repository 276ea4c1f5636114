/** The compliance report as one page of HTML without script, made to be printed. */
import { escapeHtml } from '../../base/html.ts'
import type { ComplianceReport } from './report.ts'

type Cell = string | number | boolean
type Table = { readonly heads: readonly string[]; readonly rows: readonly (readonly Cell[])[] }

const style = `body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#111}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem;border-bottom:1px solid #999}
table{border-collapse:collapse;width:100%;font-size:13px}
th,td{text-align:left;vertical-align:top;padding:.25rem .5rem;border-bottom:1px solid #ddd;overflow-wrap:anywhere}
thead{display:table-header-group}tr{break-inside:avoid}h2{break-after:avoid}
@media print{body{margin:0;max-width:none;font-size:11px}table{font-size:9px}@page{margin:15mm}}`

export function complianceHtml(report: ComplianceReport): string {
  const { service, version, at, span } = report
  const title = `Compliance report of ${service}`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
<p>As of ${timeText(at)}. PortTunneler ${escapeHtml(version)}.
Audit entries from ${timeText(span.from)} to ${timeText(span.to)}.</p>
${[...accessParts(report), ...auditParts(report), ...dataParts(report)].join('\n')}
</body>
</html>
`
}

function accessParts({ access }: ComplianceReport): readonly string[] {
  const { operators, roles, peopleWithoutFactor, unusedKeys, staleSignIns, accounts, isPart } = access
  return [
    section('Operators', '', {
      heads: ['Person', 'Address', 'Since', 'Made by', 'Second factor'],
      rows: operators.map((one) => [one.user, one.email, timeText(one.since), one.by, one.hasSecondFactor]),
    }),
    section('Members by role', `${accounts} accounts were walked${isPart ? ', which is not all' : ''}.`, {
      heads: ['Role', 'Members'],
      rows: Object.entries(roles),
    }),
    section('People without a second factor', countText(peopleWithoutFactor), {
      heads: ['Person', 'Account', 'Role'],
      rows: peopleWithoutFactor.rows.map(({ person, account, role }) => [person, account, role]),
    }),
    section('Keys that nobody used for 90 days', countText(unusedKeys), {
      heads: ['Account', 'Key', 'Name', 'Last used'],
      rows: unusedKeys.rows.map(({ account, key, name, lastUsedDay }) => [account, key, name, lastUsedDay]),
    }),
    section('Sign-ins that nobody used for 14 days', countText(staleSignIns), {
      heads: ['Person', 'Device', 'Last used'],
      rows: staleSignIns.rows.map(({ person, device, usedAt }) => [person, device, timeText(usedAt)]),
    }),
  ]
}

function auditParts({ audit: { entries, isPart, seals, checkedBy } }: ComplianceReport): readonly string[] {
  const { problems } = seals
  const found = problems.length === 0 ? 'No seal shows a change.' : `Changed: ${problems.join('; ')}.`
  const walked = `${seals.seals} seals were walked${seals.isPart ? ', which is not all' : ''}, ${seals.intact} entries are as sealed, ${seals.gone} are gone by retention or erasure.`
  return [
    section('Proof of the audit log', `${walked} ${found} Check it yourself: ${checkedBy}.`),
    section("The service's own entries", isPart ? 'These are the first; an extract has all.' : '', {
      heads: ['When', 'Who', 'What', 'To what', 'Details'],
      rows: entries.map(({ at, actor, action, target, details }) => [
        timeText(at),
        actor,
        action,
        target,
        JSON.stringify(details),
      ]),
    }),
  ]
}

function dataParts({ dataMap, subProcessors, holds, gone }: ComplianceReport): readonly string[] {
  return [
    section('What is kept, and how long', 'From the table in the code that tests compare with it.', {
      heads: ['Where', 'Whose', 'What', 'How long', 'Why', 'Ended by', 'Kept by a hold'],
      rows: dataMap.map((one) => [one.name, one.whose, one.what, one.kept, one.why, one.endsBy, one.isHeld]),
    }),
    section('What went', 'Deleted because its time was over, or with an erasure.', {
      heads: ['Month', 'Collection', 'Documents'],
      rows: gone.flatMap(({ month, collections }) =>
        collections.map(({ collection, count }) => [month, collection, count]),
      ),
    }),
    section('Legal holds', '', {
      heads: ['What', 'State', 'Reason', 'Set by', 'Until', 'Erasure waits'],
      rows: holds.map((one) => [
        one.about,
        one.state,
        one.reason,
        one.by,
        timeText(one.until),
        one.erasureWaitsAt !== undefined,
      ]),
    }),
    section('Who else gets data', '', {
      heads: ['Service', 'What it gets', 'For what'],
      rows: subProcessors.map(({ name, what, why }) => [name, what, why]),
    }),
  ]
}

function section(title: string, text: string, table?: Table): string {
  const said = text === '' ? '' : `<p>${escapeHtml(text)}</p>\n`
  return `<h2>${escapeHtml(title)}</h2>\n${said}${table ? tableHtml(table) : ''}`
}

function tableHtml({ heads, rows }: Table): string {
  if (rows.length === 0) return '<p>None.</p>'
  const head = heads.map((text) => `<th scope="col">${escapeHtml(text)}</th>`).join('')
  const line = (cells: readonly Cell[]) => `<tr>${cells.map(cellHtml).join('')}</tr>`
  return `<table><thead><tr>${head}</tr></thead><tbody>\n${rows.map(line).join('\n')}\n</tbody></table>`
}

function cellHtml(cell: Cell): string {
  const text = typeof cell === 'boolean' ? (cell ? 'yes' : 'no') : String(cell)
  return `<td>${escapeHtml(text)}</td>`
}

function countText({ count, rows }: { readonly count: number; readonly rows: readonly object[] }): string {
  return rows.length < count ? `${count}, of which ${rows.length} are shown.` : `${count}.`
}

function timeText(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}
