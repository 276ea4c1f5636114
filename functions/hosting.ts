/**
 * Writes firebase.json: what Firebase Hosting serves and with which headers, what it passes to a function, and where
 * the emulators listen. `npm run docs` runs it; before a deployment run it with your own region and relays:
 *
 * node functions/hosting.ts --region us-east1 --relays 'https://*.relay.tunnels.example.com:*'
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { pageHeaders } from '@porttunneler/shared/api/page-headers'

export type Places = {
  /** The functions' region. */
  readonly region: string
  /** Origins of the relays' live figures, with any port (`:*`): none means 443 alone. `https:` allows any. */
  readonly relays: readonly string[]
}

export const defaultPlaces: Places = { region: 'europe-west1', relays: ['https:'] }

/** For password and tokens; and for the windows of Google and GitHub. */
const signInOrigins = ['https://identitytoolkit.googleapis.com', 'https://securetoken.googleapis.com']
const popupScripts = ['https://apis.google.com']

/** Hosting's own paths: its sign-in pages are shown in a frame of ours. */
const notReserved = '!/__/**'
/** Paths without an extension are pages of the console. */
const pages = '!**/*.*'

/** The file's text. */
export function firebaseText({ region, relays }: Places): string {
  const headers = pageHeaders({
    connect: [...signInOrigins, ...relays],
    isHttps: true,
    signIn: { script: popupScripts, frame: ["'self'"] },
  })
  // Google makes the name of a function's service lower case.
  const toFunction = (source: string, name: string) => ({
    source,
    run: { serviceId: name.toLowerCase(), region },
  })
  const config = {
    firestore: { rules: 'functions/firestore.rules', indexes: 'functions/firestore.indexes.json' },
    hosting: {
      public: 'web/dist',
      rewrites: [
        toFunction('/v1/**', 'api'),
        toFunction('/report', 'api'),
        toFunction('/errors', 'api'),
        toFunction('/errors/**', 'api'),
        toFunction('/hooks/stripe', 'stripeWebhook'),
        { source: pages, destination: '/index.html' },
      ],
      headers: [
        { source: notReserved, headers: listOf({ ...headers, 'cache-control': 'no-cache' }) },
        { source: '/assets/**', headers: listOf({ 'cache-control': 'public, max-age=31536000, immutable' }) },
      ],
    },
    emulators: {
      auth: { port: 9099 },
      firestore: { port: 8080 },
      hosting: { port: 5000 },
      pubsub: { port: 8085 },
      ui: { enabled: false },
    },
  }
  return `${JSON.stringify(config, null, 2)}\n`
}

function listOf(headers: Readonly<Record<string, string>>) {
  return Object.entries(headers).map(([key, value]) => ({ key, value }))
}

if (import.meta.main) {
  const { region = defaultPlaces.region, relays = defaultPlaces.relays } = parseArgs({
    args: process.argv.slice(2),
    options: { region: { type: 'string' }, relays: { type: 'string', multiple: true } },
  }).values
  writeFileSync(join(import.meta.dirname, '../firebase.json'), firebaseText({ region, relays }))
}
