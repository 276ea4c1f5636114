/** What an entry of the audit log says, for people. Actions are `<thing>.<what happened>`; each thing has its word. */

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

/** The details in one line: "name shop, agents one". */
export function detailsText(details: Readonly<Record<string, unknown>>): string {
  return Object.entries(details)
    .map(([name, value]) => `${wordsOf(name)} ${typeof value === 'object' ? JSON.stringify(value) : value}`)
    .join(', ')
}

/** "expiresAt" -> "expires at" */
function wordsOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).replaceAll('_', ' ')
}
