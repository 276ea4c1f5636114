/**
 * Paying in a real browser, against Stripe's test server: a plan is chosen and paid, its limits rise, the invoice is
 * there, and the cap of further transfer holds. It has a server of its own, because its clock is set ahead.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '@porttunneler/shared/base/clock'
import { builtInCatalogue } from '@porttunneler/shared/control/money/built-in'
import { snapshotEvents } from '@porttunneler/shared/control/money/event-types'
import { sdkOf } from '@porttunneler/shared/testing/stripe/sdk'
import { type StripeServer, startStripe } from '@porttunneler/shared/testing/stripe/server'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Agent, agentHome, startAgent } from './harness/agent.ts'
import { openTab, pixelsTooWide, signIn, startBrowser, type Tab } from './harness/browser.ts'
import { wrongDate } from './harness/clock-preload.ts'
import { eventually } from './harness/events.ts'
import { openVisit, visit } from './harness/http.ts'
import { callApi, type Service } from './harness/service.ts'
import { freeSettings, password, startStandaloneService } from './harness/standalone.ts'
import { type HttpUpstream, startHttp } from './harness/upstreams.ts'
import { makeClocks } from './people/clock.ts'
import { describeWith } from './requirements.ts'

const minuteMs = 60_000
const email = 'payer@example.com'
const megabyte = 1_000_000
/** 0.01 USD at 0.12 USD a GB, and what it buys. */
const capMB = 83
/** A plan whose transfer is all sold, so that a cap of a cent is reached by what a test carries in a second. */
const byUse = {
  ...builtInCatalogue.plans.pro,
  title: 'By use',
  includedGB: 0,
  prices: { month: { usd: '9.00' } },
  trial: undefined,
}
const catalogue = {
  ...builtInCatalogue,
  version: 2,
  plans: { free: builtInCatalogue.plans.free, use: byUse },
}

describeWith(['chromium'], 'billing in the console', () => {
  const clocks = makeClocks()
  let aheadMs = 0
  let stripe: StripeServer
  let service: Service
  let browser: Browser
  let tab: Tab
  let page: Page
  let web: HttpUpstream
  let agent: Agent
  let key: string
  const delivering = new AbortController()
  beforeAll(async () => {
    const clock = { ...systemClock, now: () => systemClock.now() + aheadMs }
    stripe = await startStripe({ clock, settings: { localWebhooks: true } })
    const env = await freeSettings()
    const hooks = await sdkOf(stripe).webhookEndpoints.create({
      url: `http://localhost:${env.PORTTUNNELER_CONSOLE_PORT}/hooks/stripe`,
      enabled_events: [...snapshotEvents],
    })
    const billing = {
      PORTTUNNELER_REGISTRATION: 'beta',
      PORTTUNNELER_STRIPE_KEY: stripe.key,
      PORTTUNNELER_STRIPE_SERVER: stripe.url,
      PORTTUNNELER_STRIPE_WEBHOOK_SECRET: hooks.secret ?? '',
    }
    ;[service, browser, web] = await Promise.all([
      startStandaloneService({ env: { ...env, ...billing, ...clocks.env } }),
      startBrowser(),
      startHttp({ '/more': (_request, response) => void response.end(Buffer.alloc(20 * megabyte)) }),
    ])
    const { people } = service
    if (!people) throw new Error('the operator is needed')
    const file = join(agentHome(), 'plans.yaml')
    writeFileSync(file, JSON.stringify(catalogue))
    await people.operator('plans', 'apply', file)
    await people.operator('billing', 'sync', '--apply')
    const { code } = (await people.operator('invites', 'create')) as { code: string }
    const token = await people.signUp(email, code)
    await callApi({ api: service.api, key: token }, 'POST', '/v1/accounts', { code })
    const wish = { name: 'agent', scopes: ['read', 'tunnels'] }
    key = String(Object(await callApi({ api: service.api, key: token }, 'POST', '/v1/keys', wish)).secret)
    const tunnels = { site: { kind: 'http', upstream: web.port } } as const
    agent = await startAgent({ api: service.api, key }, tunnels, { env: clocks.env })
    tab = await openTab(browser)
    page = tab.page
    deliver()
  })
  afterAll(async () => {
    delivering.abort()
    await browser?.close()
    await agent?.stop()
    await web?.close()
    await service?.stop()
    await stripe?.close()
    clocks.set(0)
  })

  /** As Stripe does: as soon as something happens. */
  function deliver(): void {
    const timer = systemClock.every(250, () => void stripe.deliver())
    delivering.signal.addEventListener('abort', () => timer.clear())
  }
  /** Looks at the page as it is, in the dark, and on a phone: it fits each of them. */
  const see = async (name: string) => {
    await tab.screenshot(name)
    await page.setViewportSize({ width: 360, height: 760 })
    await page.emulateMedia({ colorScheme: 'dark' })
    await tab.screenshot(`${name}-phone-dark`)
    expect(await pixelsTooWide(page), `${name} is wider than a phone`).toBeLessThanOrEqual(0)
    await page.setViewportSize({ width: 1280, height: 860 })
    await page.emulateMedia({ colorScheme: 'light' })
  }
  /** By the keyboard alone. */
  const press = async (name: string) => {
    await page.getByRole('button', { name }).focus()
    await page.keyboard.press('Enter')
  }
  const pass = async (ms: number) => {
    aheadMs += ms
    clocks.set(aheadMs)
    await page.context().addInitScript(wrongDate(`${ms}`))
  }
  const url = () => agent.online('site')

  test('a plan is chosen and paid by the keyboard, its limits rise within seconds, and its invoice is there', async () => {
    await signIn(tab, service.api, { email, password })
    await page.goto(`${service.api}/plans`)
    const plan = page.getByRole('listitem', { name: 'By use' })
    await plan.getByText('9.00 USD a month').waitFor()
    await see('billing-choose')
    await press('Choose By use, by the month')
    await page.getByLabel('Email').waitFor()
    await see('billing-pay')
    await page.getByLabel('Card number').focus()
    await page.keyboard.type('4000000000000002')
    await page.getByLabel('Name').focus()
    await page.keyboard.type('A payer')
    await page.getByLabel('Country').focus()
    await page.keyboard.type('US')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').getByText('declined').waitFor()
    await page.getByLabel('Card number').fill('4242424242424242')
    const paidAt = performance.now()
    await page.keyboard.press('Enter')
    await plan.getByText('Your plan').waitFor()
    expect(performance.now() - paidAt).toBeLessThan(30_000)
    await page.getByText('You pay for By use.').waitFor()
    await see('billing-paid')
    const { limits } = Object(await callApi({ api: service.api, key }, 'GET', '/v1/me'))
    expect(limits).toMatchObject({ tunnelsOnline: 10 })

    const invoices = page.getByRole('region', { name: 'Invoices' })
    await invoices.getByText(', paid').waitFor()
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      invoices.getByRole('link', { name: 'PDF' }).click(),
    ])
    expect(download.suggestedFilename()).toMatch(/\.pdf$/)
    await invoices.getByRole('link', { name: /^[A-Z0-9]+-\d+$/ }).click()
    await page.getByRole('heading', { name: /-\d+$/ }).waitFor()
    await page.goBack()
  })

  test('a cap is set, and holds: what runs beyond it is refused, told, and never billed', async () => {
    await expect(callApi({ api: service.api, key }, 'GET', '/v1/account')).resolves.toMatchObject({
      transfer: { limitBytes: 0, state: 'stopped' },
    })
    await page.getByLabel('Most that transfer beyond the plan may cost').fill('50.01')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').getByText('PT-2717').waitFor()
    await page.getByLabel('Most that transfer beyond the plan may cost').fill('0.01')
    await page.keyboard.press('Enter')
    await page.getByText('The cap is set.').waitFor({ state: 'attached' })
    // The hour in which a subscription begins is free.
    await pass(61 * minuteMs)
    await eventually(
      'visitors come in',
      async () => (await visit(service, `${await url()}/hello`)).status === 200 || undefined,
    )
    let carried = 0
    await eventually('the cap holds', async () => {
      const answer = await openVisit(service, `${await url()}/more`)
      const pieces: Buffer[] = []
      for await (const bytes of answer) pieces.push(bytes)
      const body = Buffer.concat(pieces)
      if (answer.statusCode === 200) carried += body.length
      // Many visitors in a minute are refused for a while, too.
      return body.includes('PT-4119') || undefined
    })
    expect(carried).toBeGreaterThanOrEqual(capMB * megabyte)
    expect(carried, 'a tenth more, and the last answers').toBeLessThan(200 * megabyte)
    // Relays report an hour when it is over.
    await pass(61 * minuteMs)
    const transfer = async () =>
      Object(await callApi({ api: service.api, key }, 'GET', '/v1/account')).transfer
    await eventually('it is known', async () => (await transfer()).usedBytes >= carried || undefined)
    expect((await transfer()).usedBytes, 'it counts once').toBeLessThan(carried + megabyte)
    await page.goto(`${service.api}/usage`)
    await page.getByText('Stopped for this month').waitFor()
    await see('billing-stopped')
    await page.goto(`${service.api}/plans`)
    // The cap pays for 83 MB; what a relay notes before it has the test's next hour falls into the free one.
    await page.getByText(/^Transfer beyond the plan, (?:[67]\d|8[0-3]) MB$/).waitFor()
    await page.getByRole('row', { name: 'So far' }).getByText('USD 9.01').waitFor()
    await see('billing-cap')
    expect(tab.takeErrors()).toEqual([])
  })
})
