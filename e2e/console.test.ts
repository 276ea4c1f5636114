/** The console in a real browser: signing in, approving a device, live figures, keys; light, dark and on a phone. */
import { hostname } from 'node:os'
import { accountSchema, type Transfer } from '@porttunneler/shared/api/schemas/service'
import { DnsWorld } from '@porttunneler/shared/testing/dns-world'
import type { Browser, Request, Response } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { breadthOf, longTest } from './breadth.ts'
import { type Agent, agentHome, privateFolders, ptun, startAgent } from './harness/agent.ts'
import {
  barriersIn,
  type Looks,
  openTab,
  pixelsTooWide,
  signIn,
  startBrowser,
  type Tab,
} from './harness/browser.ts'
import { eventually, within } from './harness/events.ts'
import { visit } from './harness/http.ts'
import { runProgram, startProgram } from './harness/programs.ts'
import { callApi, type Service, visitorAddress } from './harness/service.ts'
import { dial } from './harness/sockets.ts'
import { password, startStandaloneService } from './harness/standalone.ts'
import { type HttpUpstream, startEcho, startHttp } from './harness/upstreams.ts'
import { describeWith } from './requirements.ts'
import { copyCertificateRecord } from './suites/certificate-record.ts'
import { describeKeyboard } from './suites/console-keyboard.ts'
import { describeLive } from './suites/console-live.ts'
import { describeFactors } from './suites/factors.ts'
import { describeInvitation } from './suites/invitation.ts'
import { describeOperator } from './suites/operator.ts'

function transferOf(state: Transfer['state'], percent: number): Transfer {
  const [from, to] = [Date.UTC(2026, 10, 1), Date.UTC(2026, 11, 1)]
  const limitBytes = 5_000_000_000
  return { from, to, usedBytes: (limitBytes * percent) / 100, limitBytes, percent, state, countedAt: to - 1 }
}

describeWith(['chromium'], 'console', () => {
  let service: Service
  let browser: Browser
  let web: HttpUpstream
  let agent: Agent
  let dns: DnsWorld
  beforeAll(async () => {
    dns = await DnsWorld.open()
    await dns.zone('example.com', [])
    const env = {
      ...dns.variables,
      PORTTUNNELER_REGISTRATION: 'beta',
      PORTTUNNELER_DEMO: 'true',
    }
    ;[service, browser, web] = await Promise.all([
      startStandaloneService({ env }),
      startBrowser(),
      startHttp(),
    ])
    agent = await startAgent(service, { shop: { kind: 'http', upstream: web.port } })
  })
  afterAll(async () => {
    await browser?.close()
    await agent?.stop()
    await web?.close()
    await service?.stop()
    dns?.close()
  })

  const inTab = async (work: (tab: Tab) => Promise<void>, look: Looks = 'light') => {
    const tab = await openTab(browser, look)
    try {
      await work(tab)
      expect(tab.takeErrors()).toEqual([])
    } finally {
      await tab.close()
    }
  }

  describeInvitation(() => service, inTab)
  describeFactors(() => service, inTab)
  describeOperator(() => service, inTab)
  describeKeyboard(() => service, inTab)
  describeLive(() => ({ service, agent }), inTab)

  test('a wrong password shows a code, the right one opens the tunnels', () =>
    inTab(async (tab) => {
      const { page } = tab
      await page.goto(service.api)
      await page.getByLabel('Email').fill(service.account.email)
      await page.getByLabel('Password').fill('not the password')
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page
        .getByRole('alert')
        .getByText(/PT-1\d{3}/)
        .waitFor()
      await signIn(tab, service.api, service.account)
      await page.getByRole('row').filter({ hasText: 'demo' }).first().waitFor()
    }))

  test('a page that waits for the server says so after some seconds, not after a minute of tries', () =>
    inTab(async (tab) => {
      const { page } = tab
      await signIn(tab, service.api, service.account)
      await page.clock.install()
      await page.route('**/v1/tunnels?*', () => undefined)
      await page.reload()
      await page.getByText('Loading the tunnels').waitFor({ state: 'attached' })
      await page.clock.fastForward(8_000)
      await page.getByRole('status').getByText('The server has not answered yet.').waitFor()
      await page.unrouteAll({ behavior: 'ignoreErrors' })
    }))

  test('ptun login: the browser approves, ptun never sees the password, whoami knows who', () =>
    inTab(async (tab) => {
      const { page } = tab
      const env = { ...privateFolders(agentHome()), PTUN_SERVER: service.api }
      const login = await startProgram('node', [ptun, 'login', '--json', '--no-browser'], { env })
      const prompt = await login.lines.waitFor(({ text }) => text.includes('login.prompt'), {
        what: 'the address to open',
      })
      await signIn(tab, service.api, service.account)
      await page.goto(JSON.parse(prompt.text).complete)
      await page.getByRole('button', { name: 'Approve' }).waitFor()
      await tab.screenshot('device')
      await page.getByRole('button', { name: 'Approve' }).click()
      await page.getByRole('heading', { name: 'The device is signed in' }).waitFor()
      expect((await within(login.exited, 'ptun login')).code).toBe(0)
      const { exit, stdout } = await runProgram('node', [ptun, 'whoami', '--json'], { env })
      expect(exit.code).toBe(0)
      expect(JSON.parse(stdout)).toMatchObject({ event: 'me', role: 'owner', scopes: ['read', 'tunnels'] })
      await page.goto(`${service.api}/keys`)
      await page.getByRole('row').filter({ hasText: hostname() }).first().waitFor()
    }))

  longTest('a device that asks for more rights gets them only when the person ticks the box', () =>
    inTab(async (tab) => {
      const { page } = tab
      await signIn(tab, service.api, service.account)
      for (const isTicked of [false, true]) {
        const env = { ...privateFolders(agentHome()), PTUN_SERVER: service.api }
        const asked = ['login', '--admin', '--json', '--no-browser']
        const login = await startProgram('node', [ptun, ...asked], { env })
        const prompt = await login.lines.waitFor(({ text }) => text.includes('login.prompt'), {
          what: 'the address to open',
        })
        await page.goto(JSON.parse(prompt.text).complete)
        const more = page.getByRole('checkbox', { name: 'Administer' })
        await more.waitFor()
        expect(await more.isChecked()).toBe(false)
        if (isTicked) await more.check()
        await page.getByRole('button', { name: 'Approve' }).click()
        await page.getByRole('heading', { name: 'The device is signed in' }).waitFor()
        expect((await within(login.exited, 'ptun login')).code).toBe(0)
        const { stdout } = await runProgram('node', [ptun, 'whoami', '--json'], { env })
        const scopes = isTicked ? ['read', 'tunnels', 'admin'] : ['read', 'tunnels']
        expect(JSON.parse(stdout).scopes).toEqual(scopes)
      }
    }),
  )

  test('a connection shows within seconds, with its bytes, and goes when it ends', () =>
    inTab(async (tab) => {
      const { page } = tab
      const echo = await startEcho()
      const watched = await startAgent(service, { watched: { kind: 'tcp', upstream: echo.port } })
      const address = visitorAddress(service, await watched.online('watched'))
      await signIn(tab, service.api, service.account)
      await page.getByRole('link', { name: 'watched', exact: true }).click()
      await page.getByText('Healthy', { exact: true }).first().waitFor()
      const tile = (label: string, text: string) =>
        page
          .locator('dl > div')
          .filter({ has: page.getByText(label, { exact: true }) })
          .getByText(text, { exact: true })
      await tile('Connections', '0').waitFor()
      const visitors = await Promise.all([dial(address), dial(address), dial(address)])
      for (const socket of visitors) socket.write(Buffer.alloc(1_000))
      await tile('Connections', '3').waitFor()
      await tile('From visitors', '3 kB').waitFor()
      for (const socket of visitors) socket.destroy()
      await tile('Connections', '0').waitFor()
      await watched.stop()
      await echo.close()
    }))

  test('a tunnel made in the console says when it works, and search and palette find it', () =>
    inTab(async (tab) => {
      const { page } = tab
      await signIn(tab, service.api, service.account)
      await page.getByRole('link', { name: 'New tunnel' }).click()
      await page.getByLabel('Name', { exact: true }).fill('made-here')
      await page.getByLabel('Local port').fill(`${web.port}`)
      await page.getByRole('button', { name: 'Create tunnel' }).click()
      await page.getByText('Waiting for an agent.').waitFor()
      await page.getByText(`npx porttunneler http ${web.port} --name made-here`).waitFor()
      const made = await startAgent(service, { 'made-here': { kind: 'http', upstream: web.port } })
      const url = await made.online('made-here')
      await page.getByText('An agent serves it.').waitFor()
      await visit(service, url)
      await page.getByText('It works: the first visitor has come through.').waitFor()
      await page.getByRole('link', { name: 'Tunnels', exact: true }).first().click()
      await page.getByLabel('Search tunnels').fill('ADE-HE')
      await page.getByRole('row').filter({ hasText: 'shop' }).waitFor({ state: 'detached' })
      await page.getByRole('row').filter({ hasText: 'made-here' }).waitFor()
      expect(new URL(page.url()).search).toBe('?search=ADE-HE')
      await page.getByLabel('Select made-here').check()
      await page.getByRole('button', { name: 'Delete', exact: true }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Delete 1 tunnel' }).click()
      await page.getByText('No tunnel is like that.').waitFor()
      await made.stop()
      await page.keyboard.press('Control+k')
      await page.getByPlaceholder('A tunnel, address or page').fill('shop')
      await page.getByRole('option', { name: 'shop' }).first().waitFor()
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { name: 'shop', level: 1 }).waitFor()
    }))

  test('a key made in the console works until it is revoked there', () =>
    inTab(async (tab) => {
      const { page } = tab
      await signIn(tab, service.api, service.account)
      await page.getByRole('link', { name: 'API keys' }).click()
      await page.getByRole('button', { name: 'Create key' }).click()
      await page.getByLabel('Name').fill('made by hand')
      await page.keyboard.press('Escape')
      await page.getByRole('button', { name: 'Keep typing' }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Create key' }).click()
      await page.getByText(/^pts_[\w-]{43}$/).waitFor()
      for (let times = 0; times < 3; times++) await page.keyboard.press('Escape')
      const key = (await page.getByText(/^pts_[\w-]{43}$/).textContent()) ?? ''
      await page.getByRole('button', { name: 'I have stored it' }).click()
      await callApi({ api: service.api, key }, 'GET', '/v1/tunnels')
      await page.getByRole('button', { name: 'Revoke made by hand' }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click()
      await page.getByRole('row').filter({ hasText: 'made by hand' }).waitFor({ state: 'detached' })
      // The button that had the focus went with its row.
      await page.waitForFunction("document.activeElement?.textContent === 'API keys'")
      await expect(callApi({ api: service.api, key }, 'GET', '/v1/tunnels')).rejects.toThrow('401')
    }))

  test('a keyboard alone signs in, follows a tunnel and signs out', () =>
    inTab(async ({ page }) => {
      await page.goto(service.api)
      await page.getByLabel('Email').waitFor()
      await page.keyboard.type(service.account.email)
      await page.keyboard.press('Tab')
      await page.keyboard.type(service.account.password)
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { name: 'Tunnels', level: 1 }).waitFor()
      const focused = () => page.evaluate<string>("document.activeElement?.textContent ?? ''")
      for (let presses = 0; presses < 40 && !(await focused()).startsWith('demo'); presses++)
        await page.keyboard.press('Tab')
      await page.keyboard.press('Enter')
      await page.getByRole('tab', { name: 'Overview' }).waitFor()
      await page.getByRole('button', { name: 'Account menu' }).focus()
      await page.keyboard.press('Enter')
      await page.getByRole('button', { name: 'Sign out' }).focus()
      await page.keyboard.press('Enter')
      await page.getByLabel('Email').waitFor()
    }))

  test('the first load is light, and at rest one call in ten seconds learns that nothing has changed', () =>
    inTab(async (tab) => {
      const { page } = tab
      await agent.online('shop')
      const scripts: ReturnType<Request['sizes']>[] = []
      page.on('response', (answer) => {
        if (answer.url().endsWith('.js')) scripts.push(answer.request().sizes())
      })
      await page.clock.install()
      await signIn(tab, service.api, service.account)
      await page.getByText('Healthy', { exact: true }).first().waitFor()
      const sizes = await Promise.all(scripts)
      const scriptBytes = sizes.reduce((sum, { responseBodySize }) => sum + responseBodySize, 0)
      expect(scriptBytes).toBeGreaterThan(20_000)
      expect(scriptBytes).toBeLessThanOrEqual(110_000)
      const answers: Response[] = []
      page.on('response', (answer) => {
        if (/\/v1\/(?!live|watch)/.test(answer.url())) answers.push(answer)
      })
      // States may still settle; then every look is one call, and its answer has no body.
      await eventually('a look that finds nothing new', async () => {
        answers.length = 0
        const look = page.waitForResponse((answer) => answer.url().includes('/v1/tunnels?'))
        await page.clock.runFor(10_000)
        const status = (await look).status()
        return (status === 304 && answers.length === 1) || undefined
      })
    }))

  const transfers = [
    { look: 'light', state: 'near', percent: 83, says: 'Nearly used up' },
    { look: 'phone', state: 'over', percent: 104, says: 'Used up' },
    { look: 'dark', state: 'stopped', percent: 111, says: 'Stopped for this month' },
  ] as const
  test.each(breadthOf(transfers, transfers.slice(1, 2)))(
    'the month’s transfer, $state: shown on the first page, drawn and explained in the account: $look',
    ({ look, state, percent, says }) =>
      inTab(async (tab) => {
        const { page } = tab
        // The test's own account has no limit: the test adds one to the API's answer.
        await page.route('**/v1/account', async (route) => {
          const answer = accountSchema.parse(await (await route.fetch()).json())
          expect(answer.transfer).toBeUndefined()
          await route.fulfill({ json: { ...answer, transfer: transferOf(state, percent) } })
        })
        await signIn(tab, service.api, service.account)
        const notice = page.getByRole('status').filter({ hasText: `(${percent} %)` })
        await notice.waitFor()
        await tab.screenshot(`transfer-${state}-tunnels`)
        const link = notice.getByRole('link', { name: 'See the usage' })
        await link.focus()
        await page.keyboard.press('Enter')
        const bar = page.getByRole('progressbar', { name: 'of 5 GB' })
        await bar.waitFor()
        expect(await bar.getAttribute('aria-valuenow')).toBe(`${Math.min(100, percent)}`)
        expect(await bar.getAttribute('aria-valuetext')).toBe(`${percent} % used: ${says}`)
        await page.getByText(says, { exact: true }).waitFor()
        await page.getByText('It starts again at zero on Dec 1, 2026 (UTC).').waitFor()
        await tab.screenshot(`transfer-${state}`)
        expect(await pixelsTooWide(page)).toBe(0)
      }, look),
  )

  test.each(breadthOf<Looks>(['light', 'dark', 'phone'], ['phone']))(
    'every page fits the window: %s',
    (look) =>
      inTab(async (tab) => {
        const { page } = tab
        const fits = async (name: string) => {
          await tab.screenshot(name)
          const wide = await pixelsTooWide(page)
          expect(wide, `${name} is wider than the window`).toBeLessThanOrEqual(0)
          for (const colorScheme of ['dark', 'light'] as const) {
            await page.emulateMedia({ colorScheme })
            expect(await barriersIn(page), `${name}, ${colorScheme}`).toEqual([])
          }
        }
        const url = await agent.online('shop')
        await page.goto(`${service.api}/sign-in`)
        await page.getByLabel('Email').waitFor()
        await fits('sign-in')
        await signIn(tab, service.api, service.account)
        await page.getByText('Healthy', { exact: true }).first().waitFor()
        await fits('tunnels')
        await page.getByRole('link', { name: 'shop', exact: true }).click()
        await page.getByText('Live traffic').waitFor()
        for (let count = 0; count < 20; count++) await visit(service, `${url}/hello`)
        await page
          .locator('dl > div')
          .filter({ hasText: 'Opened' })
          .getByText(/^[2-9]\d$/)
          .waitFor()
        // What was before the page was opened is there at once, and its parts keep their place in the address.
        await page.reload()
        await page.getByRole('slider', { name: /^Requests\. 2xx: the most [1-9]/ }).waitFor()
        await fits('tunnel')
        await page.getByRole('tab', { name: 'Overview' }).press('ArrowRight')
        await page.getByText('No visitor met an error in this time.').waitFor()
        await fits('tunnel-requests')
        await page.getByRole('button', { name: '7 days' }).click()
        await page.getByRole('tab', { name: 'Events' }).click()
        expect(page.url()).toMatch(/range=7d&tab=events$|tab=events&range=7d$/)
        await page
          .getByText('Nothing happened', { exact: false })
          .or(page.getByRole('listitem'))
          .first()
          .waitFor()
        await fits('tunnel-events')
        await page.goto(`${service.api}/keys`)
        await page.getByText('end-to-end tests').waitFor()
        await fits('keys')
        await page.goto(`${service.api}/domains`)
        await page.getByText('No domains yet').waitFor()
        await fits('domains')
        await page.goto(`${service.api}/names`)
        await page.getByRole('button', { name: 'Reserve port' }).waitFor()
        await fits('names')
        await page.goto(`${service.api}/plans`)
        await page.getByRole('listitem', { name: 'Team' }).getByText('200 GB').waitFor()
        await fits('plans')
        await page.goto(`${service.api}/account`)
        await page.getByLabel('New address').waitFor()
        await fits('account')
        await page.goto(`${service.api}/usage`)
        await page.getByText('The plan sets no limit').waitFor()
        await fits('usage')
        await page.goto(`${service.api}/audit`)
        await page.getByText('Sign-in: signed in').first().waitFor()
        await fits('audit')
        await page.goto(`${service.api}/sessions`)
        await page.getByRole('list', { name: 'Sessions' }).waitFor()
        await fits('sessions')
      }, look),
  )

  longTest('a name and a port are reserved, the name given to a tunnel, and both released', () =>
    inTab(async (tab) => {
      const { page } = tab
      await agent.online('shop')
      await signIn(tab, service.api, service.account)
      await page.getByRole('link', { name: 'Names' }).click()
      const section = page.getByRole('region', { name: 'Host names' })
      await section.getByRole('button', { name: 'Reserve name' }).click()
      const dialog = page.getByRole('dialog')
      await dialog.getByLabel('Name').fill('www')
      await dialog.getByRole('button', { name: 'Reserve name' }).click()
      await dialog.getByRole('alert').waitFor()
      await dialog.getByLabel('Name').fill('Kept-Here')
      await dialog.getByRole('button', { name: 'Reserve name' }).click()
      const item = section.getByRole('listitem').filter({ hasText: 'kept-here.' })
      await item.getByText('Not in use.').waitFor()
      await item.getByLabel('Goes to').selectOption({ label: 'shop only' })
      await item.getByText('In use by shop.').waitFor()
      await tab.screenshot('names-kept')
      await item.getByRole('button', { name: 'Release kept-here.' }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Release' }).click()
      await section.getByText('None yet.').waitFor()

      const ports = page.getByRole('region', { name: 'Ports' })
      await ports.getByRole('button', { name: 'Reserve port' }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Reserve port' }).click()
      await ports.getByText('Not in use.').waitFor()
      await ports.getByRole('button', { name: 'Release' }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Release' }).click()
      await ports.getByText('None yet.').waitFor()
    }),
  )

  test('an invited person joins in a second browser, sees the team’s tunnels, and switches back to their own', async () => {
    const bob = { email: 'bob@example.com', password }
    const { people } = service
    if (!people?.mailTo) throw new Error('no mails here')
    const { code } = z.object({ code: z.string() }).parse(await people.operator('invites', 'create'))
    const token = await people.signUp(bob.email, code)
    await callApi({ api: service.api, key: token }, 'POST', '/v1/accounts', { code })
    await inTab(async (tab) => {
      const { page } = tab
      await signIn(tab, service.api, service.account)
      await page.getByRole('button', { name: 'Account menu' }).click()
      await page.getByRole('link', { name: 'Members' }).click()
      await page.getByRole('button', { name: 'Invite' }).click()
      const dialog = page.getByRole('dialog')
      await dialog.getByLabel('Email').fill(bob.email)
      await dialog.getByRole('button', { name: 'Send the invitation' }).click()
      await page.getByRole('list', { name: 'Invitations' }).getByText(bob.email).waitFor()
      await tab.screenshot('members')
    })
    const mail = await people.mailTo(bob.email, 'Invitation')
    const link = new URL(/https?:\/\/\S+\/join\S+/.exec(mail)?.[0] ?? '')
    await inTab(async (tab) => {
      const { page } = tab
      await page.goto(`${service.api}${link.pathname}${link.search}`)
      await page.getByLabel('Email').fill(bob.email)
      await page.getByLabel('Password').fill(bob.password)
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByRole('button', { name: 'Join' }).click()
      await page.getByRole('row').filter({ hasText: 'shop' }).first().waitFor()
      await page.getByRole('button', { name: 'Account menu' }).click()
      await page.getByRole('list', { name: 'Accounts' }).getByRole('button', { name: 'bob' }).click()
      await page.getByText('Your first tunnel takes two commands').waitFor()
    })
  })

  // Last, for its visitors are counted.
  test('a domain is added, its record copied, what is wrong with it told, and led to a tunnel once it is there', () =>
    inTab(async (tab) => {
      const { page } = tab
      await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
      await signIn(tab, service.api, service.account)
      await page.getByRole('link', { name: 'Domains' }).click()
      await page.getByText('No domains yet').waitFor()
      const add = async (host: string) => {
        await page.getByRole('button', { name: 'Add domain' }).first().click()
        const dialog = page.getByRole('dialog')
        await dialog.getByLabel('Host').fill(host)
        await dialog.getByRole('button', { name: 'Add domain' }).click()
        return dialog
      }
      const refused = await add('co.uk')
      await refused.getByText('PT-2411').waitFor()
      await refused.getByRole('button', { name: 'Cancel' }).click()
      await add('App.Example.com')
      const card = page.getByRole('region', { name: 'app.example.com' })
      await card.getByText('No record there yet').waitFor()
      await card.getByRole('button', { name: 'Copy value' }).first().click()
      await card.getByText('Copied').waitFor()
      const alias = await page.evaluate<string>('navigator.clipboard.readText()')
      expect(alias).toMatch(/^[a-z2-7]{26}\.to\./)
      await tab.screenshot('domains')
      await copyCertificateRecord(tab, card)

      await dns.zone('example.com', [`app CNAME ${alias}.`])
      const check = card.getByRole('button', { name: 'Check now: app.example.com' })
      await eventually('it is verified', async () => {
        await check.click()
        return (await card.getByText('Verified').isVisible()) ? true : undefined
      })
      await card.getByLabel('Leads to').selectOption({ label: 'shop' })
      await eventually('visitors come by the domain', async () => {
        const url = await agent.online('shop')
        const own = url.replace(/\/\/[^:/]+/, '//app.example.com')
        return (await visit(service, `${own}/hello`)).status === 200 ? true : undefined
      })
      await card.getByRole('button', { name: 'Remove app.example.com' }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Remove domain' }).click()
      await page.getByText('No domains yet').waitFor()
    }))
})
