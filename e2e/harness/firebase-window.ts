/**
 * The window in which Firebase's own page signs a person in by another service, on the Auth emulator. The SDK gets that
 * window's result through a script of apis.google.com, which is no part of the emulator: `gapiStandIn` replaces it.
 * Everything else (the SDK, the window, the exchange with Firebase) is real.
 */
import type { Page } from 'playwright-core'

/** Runs in the page before the SDK does. */
export const gapiStandIn = `
  const frame = {
    restyle: async () => {},
    ping: async (done) => done(),
    // The SDK throws inside this callback whatever it gets, and the real script ignores that.
    send: async (type, body, done) => { try { done([{ webStorageSupport: true }]) } catch {} },
    register: (type, handler) => { if (type === 'authEvent') globalThis.onAuthEvent = handler },
  }
  const open = async (options, use) => use(frame)
  globalThis.gapi = { iframes: { Iframe: () => {}, CROSS_ORIGIN_IFRAMES_FILTER: {}, getContext: () => ({ open }) } }
`

export type AtTheWindow = {
  /** The name of the service, as its button has it. */
  readonly name: string
  readonly emulatorUrl: string
  /** What the service says about the person. */
  readonly claims: object
}

/** Clicks the service's button, and answers as its window does. @returns what the SDK asked the window for */
export async function passFirebaseWindow(
  page: Page,
  { name, emulatorUrl, claims }: AtTheWindow,
): Promise<URLSearchParams> {
  const button = page.getByRole('button', { name: `Continue with ${name}` })
  const [other] = await Promise.all([page.waitForEvent('popup'), button.click()])
  await other.waitForURL(/\/auth\/handler\?/, { waitUntil: 'commit' })
  const asked = new URL(other.url()).searchParams
  const answer = new URL(`${emulatorUrl}/emulator/auth/handler`)
  answer.searchParams.set('providerId', asked.get('providerId') ?? '')
  answer.searchParams.set('id_token', JSON.stringify(claims))
  const event = {
    type: 'signInViaPopup',
    eventId: asked.get('eventId'),
    urlResponse: answer.href,
    sessionId: 'x',
  }
  await page.evaluate(`onAuthEvent(${JSON.stringify({ authEvent: event })})`)
  return asked
}
