/** What an entry of the audit log says, for people. Actions are `<thing>.<what happened>`; each thing has its word. */
import { formatCount, formatTime } from './format.ts'

const things: Readonly<Record<string, string>> = {
  account: 'Account',
  audit: 'Audit log',
  auth: 'Sign-in',
  billing: 'Plan and invoices',
  certificate: 'Certificate',
  domain: 'Domain',
  factor: 'Second factor',
  flag: 'Feature',
  invite: 'Invitation',
  key: 'API key',
  lease: 'Serving',
  mail: 'Mail',
  member: 'Member',
  name: 'Host name',
  person: 'Person',
  port: 'Port',
  ticket: 'Ticket',
  transfer: 'Transfer',
  tunnel: 'Tunnel',
  view: 'View of an operator',
}

/** "API key: created" */
export function actionText(action: string): string {
  const [thing = '', happened = ''] = action.split('.')
  const word = things[thing] ?? `${thing.charAt(0).toUpperCase()}${thing.slice(1)}`
  return `${word}: ${happened.replaceAll('_', ' ')}`
}

/** The details in one line: "name shop, scopes read and tunnels, expires at Dec 1, 2026, 9:00 AM". */
export function detailsText(details: Readonly<Record<string, unknown>>): string {
  return Object.entries(details)
    .map(([name, value]) => `${wordsOf(name)} ${valueText(name, value)}`)
    .join(', ')
}

function valueText(name: string, value: unknown): string {
  if (typeof value === 'number') return /At$/.test(name) ? formatTime(value) : formatCount(value)
  if (Array.isArray(value)) return value.map((item) => valueText('', item)).join(' and ')
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** "expiresAt" -> "expires at" */
function wordsOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).replaceAll('_', ' ')
}
