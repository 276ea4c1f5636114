/** A person in a browser of their own: their page, what it says to the API, pictures of it, and their passkeys. */
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { z } from 'zod'
import { barriersIn, openTab, pixelsTooWide, type Tab } from '../harness/browser.ts'
import { wrongDate } from '../harness/clock-preload.ts'

const looks = [
  { name: 'desktop-light', width: 1280, height: 860, colorScheme: 'light' },
  { name: 'desktop-dark', width: 1280, height: 860, colorScheme: 'dark' },
  { name: 'phone-light', width: 375, height: 760, colorScheme: 'light' },
  { name: 'phone-dark', width: 375, height: 760, colorScheme: 'dark' },
] as const

const factorsSchema = z.looseObject({ passkeys: z.array(z.looseObject({ name: z.string() })) })

export type PersonOptions = {
  readonly url: string
  /** Where pictures go; absent: none are made. */
  readonly pictures: string | undefined
  /** By how much clocks have been set ahead so far, ms. */
  readonly aheadMs: number
  /** What each page runs first. */
  readonly prelude: string | undefined
}

export class Person {
  readonly page: Page
  readonly #tab: Tab
  readonly #options: PersonOptions
  readonly #context: BrowserContext
  #bearer: string | undefined

  private constructor(tab: Tab, options: PersonOptions) {
    this.#tab = tab
    this.page = tab.page
    this.#context = tab.page.context()
    this.#options = options
    this.page.on('request', (request) => {
      const { authorization } = request.headers()
      if (authorization && request.url().startsWith(`${options.url}/v1/`)) this.#bearer = authorization
    })
  }

  static async open(browser: Browser, options: PersonOptions): Promise<Person> {
    const person = new Person(await openTab(browser), options)
    if (options.prelude !== undefined) await person.page.addInitScript(options.prelude)
    if (options.aheadMs > 0) await person.moveClock(options.aheadMs)
    return person
  }

  /** The next page that is loaded has a clock that is this much further ahead. */
  async moveClock(ms: number): Promise<void> {
    await this.#context.addInitScript(wrongDate(`${ms}`))
  }

  go(path: string): Promise<unknown> {
    return this.page.goto(new URL(path, this.#options.url).href)
  }

  /** Another tab of the same browser, which the caller closes. */
  newTab(): Promise<Page> {
    return this.#context.newPage()
  }

  /** The page has to be usable by people with other senses or hands. */
  async noBarriers(name: string): Promise<void> {
    assert.deepEqual(await barriersIn(this.page), [], name)
  }

  /** @throws what scripts of the pages have thrown since the last call */
  noErrors(name: string): void {
    assert.deepEqual(this.#tab.takeErrors(), [], name)
  }

  heading(name: string | RegExp): Promise<void> {
    return this.page.getByRole('heading', { name, level: 1 }).waitFor()
  }

  async click(name: string, exact = true): Promise<void> {
    await this.page.getByRole('button', { name, exact }).click()
  }

  /** Confirms a dialog by the button in it. */
  async confirm(name: string): Promise<void> {
    await this.page.getByRole('dialog').getByRole('button', { name, exact: true }).click()
  }

  /** Keeps the page as a desktop and a phone show it, light and dark. It has to fit each of them. */
  async see(name: string): Promise<void> {
    const { pictures } = this.#options
    if (pictures === undefined) return
    mkdirSync(pictures, { recursive: true })
    for (const { name: look, width, height, colorScheme } of looks) {
      await this.page.setViewportSize({ width, height })
      await this.page.emulateMedia({ colorScheme })
      await this.page.screenshot({ path: join(pictures, `${name}-${look}.png`), fullPage: true })
      const wide = await pixelsTooWide(this.page)
      assert.ok(wide <= 0, `${name} is ${wide} px wider than the window of ${look}`)
    }
    const [{ width, height, colorScheme }] = looks
    await this.page.setViewportSize({ width, height })
    await this.page.emulateMedia({ colorScheme })
  }

  /** Calls the API as the page did last. @returns status and body */
  async ask(method: string, path: string, body?: object): Promise<{ status: number; body: unknown }> {
    const answer = await fetch(`${this.#options.url}${path}`, {
      method,
      headers: { ...(this.#bearer && { authorization: this.#bearer }), 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(30_000),
    })
    const text = await answer.text()
    return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) }
  }

  /** A device with a fingerprint reader that always knows the finger (WebAuthn level 3, section 11). */
  async plugInAuthenticator(): Promise<void> {
    const devtools = await this.#context.newCDPSession(this.page)
    await devtools.send('WebAuthn.enable')
    const options = { protocol: 'ctap2', transport: 'internal', hasResidentKey: true } as const
    const verifies = { hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true }
    await devtools.send('WebAuthn.addVirtualAuthenticator', { options: { ...options, ...verifies } })
  }

  /** @throws what scripts of the pages have thrown, and what the content policy has refused */
  async close(): Promise<void> {
    assert.deepEqual(this.#tab.takeErrors(), [])
    await this.#tab.close()
  }
}

/** From the page of factors, or where it is shown for want of one. */
export async function addPasskey(person: Person, name: string, picture: string): Promise<void> {
  await person.plugInAuthenticator()
  await person.click('Add a passkey')
  await person.page.getByLabel('Name').fill(name)
  await person.confirm('Go on')
  const codes = person.page.getByRole('list', { name: 'Recovery codes' }).getByRole('listitem')
  await codes.first().waitFor()
  assert.equal(await codes.count(), 10)
  await person.see(`${picture}-recovery-codes`)
  await person.click('I have kept them')
  await person.page.getByRole('listitem').filter({ hasText: name }).waitFor()
  await person.see(`${picture}-security`)
  const { passkeys } = factorsSchema.parse((await person.ask('GET', '/v1/factors')).body)
  assert.deepEqual(
    passkeys.map((passkey) => passkey.name),
    [name],
  )
}
