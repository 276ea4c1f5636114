/** Sign-in with another service in a real browser: a new person, somebody else's link, adding and removing one. */
import type { SignInService } from '@porttunneler/standalone/testing/sign-in-service'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { longTest } from './breadth.ts'
import { agentHome, privateFolders, ptun } from './harness/agent.ts'
import { openTab, signIn, startBrowser, type Tab } from './harness/browser.ts'
import { within } from './harness/events.ts'
import { startProgram } from './harness/programs.ts'
import type { Service } from './harness/service.ts'
import { startWorkService } from './harness/sign-in-service.ts'
import { startStandaloneService } from './harness/standalone.ts'
import { describeWith } from './requirements.ts'

describeWith(['chromium'], 'sign-in with another service, in the console', () => {
  let work: SignInService
  let service: Service
  let browser: Browser
  beforeAll(async () => {
    const { env, yaml, ...started } = await startWorkService()
    work = started.work
    ;[service, browser] = await Promise.all([startStandaloneService({ env, yaml }), startBrowser()])
  })
  afterAll(async () => {
    await browser?.close()
    await service?.stop()
    await work?.close()
  })

  const inTab = async (run: (tab: Tab) => Promise<void>) => {
    const tab = await openTab(browser)
    try {
      await run(tab)
      expect(tab.takeErrors()).toEqual([])
    } finally {
      await tab.close()
    }
  }

  test('a new person comes in by one click, approves ptun, and has no password yet', () =>
    inTab(async ({ page, screenshot }) => {
      const env = { ...privateFolders(agentHome()), PTUN_SERVER: service.api }
      const login = await startProgram('node', [ptun, 'login', '--json', '--no-browser'], { env })
      const prompt = await login.lines.waitFor(({ text }) => text.includes('login.prompt'), {
        what: 'the address to open',
      })
      await page.goto(JSON.parse(prompt.text).complete)
      const button = page.getByRole('button', { name: 'Continue with Example Ltd' })
      await button.waitFor()
      await screenshot('sign-in-services')
      await button.click()
      // Back at the page that the person wanted, with nothing of the service in the address.
      await page.getByRole('button', { name: 'Approve' }).click()
      await page.getByRole('heading', { name: 'The device is signed in' }).waitFor()
      expect(page.url()).not.toMatch(/[?&](code|state|iss)=/)
      expect((await within(login.exited, 'ptun login')).code).toBe(0)
      await page.goto(`${service.api}/account`)
      await page.getByText('You have no password yet').waitFor()
      await page.getByText('ada@example.com · added').waitFor()
      await screenshot('account-links')
      await page.getByRole('button', { name: 'Remove Example Ltd' }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
      await page.getByRole('alert').getByText('PT-1038').waitFor()
    }))

  longTest("somebody else's answer of the service signs nobody in, and neither does leaving there", () =>
    inTab(async ({ page, screenshot }) => {
      const answer = `${service.api}/sign-in/with/work?code=stolen&state=pto_x&iss=${encodeURIComponent(work.issuer)}`
      await page.goto(answer)
      await page.getByRole('alert').getByText('PT-1033').waitFor()
      await screenshot('sign-in-not-begun')
      // The same, while this tab waits for an answer of its own.
      work.misbehave(({ url = '' }, reply) => {
        if (!url.startsWith('/auth')) return false
        reply.end('the page of the service')
        return true
      })
      await page.getByRole('link', { name: 'Back to the sign-in' }).click()
      await page.getByRole('button', { name: 'Continue with Example Ltd' }).click()
      await page.getByText('the page of the service').waitFor()
      work.misbehave(undefined)
      await page.goto(answer)
      await page.getByRole('alert').getByText('PT-1033').waitFor()
      await page.goto(service.api)
      await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    }),
  )

  test('a person with a password adds a service, signs in with it, and removes it', () =>
    inTab(async (tab) => {
      const { page } = tab
      work.be({ sub: 'operator', email: 'somebody@elsewhere.example.com', email_verified: false })
      await signIn(tab, service.api, service.account)
      await page.goto(`${service.api}/account`)
      await page.getByRole('button', { name: 'Add Example Ltd' }).click()
      await page.getByText('somebody@elsewhere.example.com · added').waitFor()
      await page.getByRole('button', { name: 'Account menu' }).click()
      await page.getByRole('button', { name: 'Sign out', exact: true }).click()
      await page.getByRole('button', { name: 'Continue with Example Ltd' }).click()
      await page.getByRole('heading', { name: 'Account', level: 1 }).waitFor()
      await page.getByRole('region', { name: 'Signed in as' }).getByText(service.account.email).waitFor()
      await page.getByRole('button', { name: 'Remove Example Ltd' }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
      await page.getByText('None yet.').waitFor()
    }))
})
