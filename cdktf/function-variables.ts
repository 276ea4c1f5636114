import type { Environment } from './environment.ts'
import { emailOf, kmsKeyPath, relayAccount, vmsOf } from './names.ts'

/** The environment of every function, beside its secrets: what functions/settings.ts reads. */
export function functionVariables(environment: Environment): { readonly [name: string]: string } {
  const { cells, project, consoleHost, trustedProxies, registration, signInIssuers, terms } = environment
  const { otlpEndpoint } = environment
  const issuers = signInIssuers.map(({ id, name }) => ({ id: `oidc.${id}`, name }))
  const groups = cells.flatMap((cell) =>
    vmsOf(cell).map(({ zone, name }) => ({
      cell: cell.id,
      path: `zones/${zone}/instanceGroupManagers/${name}`,
      serviceAccount: emailOf(environment, relayAccount(cell)),
    })),
  )
  return {
    GOOGLE_CLOUD_PROJECT: project,
    PORTTUNNELER_URL: `https://${consoleHost}`,
    PORTTUNNELER_KMS_KEY: kmsKeyPath(environment),
    PORTTUNNELER_DATABASE: environment.database,
    PORTTUNNELER_RELAY_GROUPS: JSON.stringify(groups),
    PORTTUNNELER_PLAN: environment.plan,
    PORTTUNNELER_REGISTRATION: String(registration),
    PORTTUNNELER_PROVEN_MAIL: String(environment.provenMail),
    PORTTUNNELER_ACME_EMAIL: environment.acmeEmail,
    // The functions with the token maintain the zones; the others tell people and relays what follows from it.
    PORTTUNNELER_DNS: 'cloudflare',
    // The functions with the secret send mails.
    PORTTUNNELER_MAIL_FROM: environment.mailFrom,
    FIREBASE_API_KEY: environment.firebaseApiKey,
    ...(terms.length > 0 && { PORTTUNNELER_TERMS: JSON.stringify(terms) }),
    ...(issuers.length > 0 && { FIREBASE_ISSUERS: JSON.stringify(issuers) }),
    // Else each start of an SDK would first look whether it is on Google's machines.
    METADATA_SERVER_DETECTION: 'assume-present',
    ...(otlpEndpoint !== undefined && { OTEL_EXPORTER_OTLP_ENDPOINT: otlpEndpoint }),
    ...(trustedProxies.length > 0 && { PORTTUNNELER_TRUSTED_PROXIES: trustedProxies.join(',') }),
  }
}

/** The part that ptunctl needs: where it works, and what people are told. */
const operatorVariables = [
  'GOOGLE_CLOUD_PROJECT',
  'PORTTUNNELER_URL',
  'PORTTUNNELER_KMS_KEY',
  'PORTTUNNELER_DATABASE',
  'PORTTUNNELER_MAIL_FROM',
]

/** The line for a shell before any of ptunctl's. */
export function operatorLine(environment: Environment): string {
  const variables = functionVariables(environment)
  const words = operatorVariables.map((name) => `${name}=${quoted(variables[name] ?? '')}`)
  return `export ${words.join(' ')}`
}

function quoted(text: string): string {
  return /^[\w./:-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
