/**
 * What somebody does in the console, one description for both platforms: from the sign-up to a first visitor, finding
 * why visitors see 502, sending a webhook again in the inspector, stopping an agent, paying, and the operators' pages.
 * The walk of people (walk.ts) has invitations and deletion.
 */
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { Browser } from 'playwright-core'
import { z } from 'zod'
import { agentHome, privateFolders, ptun } from '../harness/agent.ts'
import { eventually, within } from '../harness/events.ts'
import { visit } from '../harness/http.ts'
import { type Program, startProgram } from '../harness/programs.ts'
import { listening, portOf } from '../harness/sockets.ts'
import { operatorPages } from './operator-pages.ts'
import { Person } from './person.ts'
import type { Somebody, Stage } from './stage.ts'
import { type WalkOptions, walkSteps } from './steps.ts'

const cyd: Somebody = { sub: 'cyd', email: 'cyd@example.com' }
/** With the start of a program on a machine that is busy. */
const patienceMs = 60_000
const meSchema = z.object({
  user: z.string(),
  account: z.string(),
  limits: z.record(z.string(), z.unknown()),
})
const promptSchema = z.object({ complete: z.string() })
const onlineSchema = z.object({ url: z.string() })

/** @throws the first thing that is not as described */
export async function walkConsole(options: WalkOptions): Promise<void> {
  const walk = new ConsoleWalk(options)
  try {
    await walkSteps(walk.steps, options)
  } finally {
    await walk.end()
  }
}

class ConsoleWalk {
  readonly steps: readonly (readonly [name: string, step: () => Promise<void>])[] = [
    ['sign up, to the first visitor', () => this.#toFirstVisitor()],
    ['find why visitors see 502', () => this.#find502()],
    ['send a webhook again in the inspector', () => this.#replay()],
    ['stop the agent from its page, and start it again', () => this.#stopAgent()],
    ['pay for a plan', () => this.#pay()],
    ['look at every page of operators', () => this.#operate()],
  ]
  readonly #stage: Stage
  readonly #browser: Browser
  readonly #pictures: string | undefined
  readonly #home = agentHome()
  readonly #bodies: string[] = []
  readonly #running: Program[] = []
  #server: Server | undefined
  #port = 0
  #cyd!: Person
  #ptun!: Program
  #url = ''

  constructor({ stage, browser, pictures }: WalkOptions) {
    this.#stage = stage
    this.#browser = browser
    this.#pictures = pictures
  }

  async end(): Promise<void> {
    for (const program of this.#running) await program.stop()
    await this.#closeSite()
    rmSync(this.#home, { recursive: true, force: true })
    await this.#cyd?.close()
  }

  /** Somebody's program: it keeps what is posted. */
  async #openSite(port: number): Promise<void> {
    const server = createServer((request, response) => {
      let body = ''
      request.setEncoding('utf8').on('data', (part) => {
        body += part
      })
      request.on('end', () => {
        if (request.method === 'POST') this.#bodies.push(body)
        response.end('Hello from the shop')
      })
    })
    this.#server = server
    await listening(server, port)
    this.#port = portOf(server)
  }

  async #closeSite(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (!server) return
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }

  get #env() {
    return { ...privateFolders(this.#home), PTUN_SERVER: this.#stage.url, PTUN_INSPECT: '0' }
  }

  async #run(...words: string[]): Promise<Program> {
    const program = await startProgram('node', [ptun, ...words, '--json'], { env: this.#env })
    this.#running.push(program)
    return program
  }

  async #told<T>(program: Program, event: string, schema: z.ZodType<T>): Promise<T> {
    const isIt = ({ text }: { text: string }) => text.includes(`"event":"${event}"`)
    const line = await program.lines.waitFor(isIt, { what: event, deadlineMs: patienceMs })
    return schema.parse(JSON.parse(line.text))
  }

  async #serve(): Promise<void> {
    this.#ptun = await this.#run('http', `${this.#port}`, '--name', 'shop')
    this.#url = (await this.#told(this.#ptun, 'tunnel.online', onlineSchema)).url
  }

  async #toFirstVisitor(): Promise<void> {
    const { browser, pictures } = { browser: this.#browser, pictures: this.#pictures }
    const { url, prelude } = this.#stage
    const person = await Person.open(browser, { url, prelude, pictures, aheadMs: 0 })
    this.#cyd = person
    await this.#openSite(0)
    await person.go('/sign-in')
    await this.#stage.signIn(person, cyd, true)
    await person.page.getByText('Your first tunnel takes two commands').waitFor()
    await person.page.getByRole('link', { name: 'New tunnel' }).first().click()
    await person.page.getByLabel('Name', { exact: true }).fill('shop')
    await person.page.getByLabel('Local port').fill(`${this.#port}`)
    await person.see('41-new-tunnel')
    await person.click('Create tunnel')
    await person.page.getByText('Waiting for an agent.').waitFor()
    await person.see('42-waits-for-an-agent')
    const login = await this.#run('login', '--no-browser')
    const { complete } = await this.#told(login, 'login.prompt', promptSchema)
    const approving = await person.newTab()
    await approving.goto(complete)
    await approving.getByRole('button', { name: 'Approve' }).click()
    await approving.getByRole('heading', { name: 'The device is signed in' }).waitFor()
    await approving.close()
    assert.equal((await within(login.exited, 'ptun login')).code, 0)
    await this.#serve()
    await person.page.getByText('An agent serves it.').waitFor()
    assert.equal((await visit(this.#stage, this.#url)).body, 'Hello from the shop')
    await person.page.getByText('It works: the first visitor has come through.').waitFor()
    await person.see('43-first-visitor')
    await person.page.getByRole('link', { name: 'Go to the tunnel' }).click()
    await person.heading('shop')
    await person.page.getByText('Healthy', { exact: true }).first().waitFor()
  }

  /** The list says which tunnel, its page says what and what to do, and its events say since when. */
  async #find502(): Promise<void> {
    const person = this.#cyd
    const port = this.#port
    await this.#closeSite()
    const refused = await visit(this.#stage, this.#url, { headers: { accept: 'text/html' } })
    assert.equal(refused.status, 502)
    await person.go('/')
    const row = person.page.getByRole('row').filter({ hasText: 'shop' })
    await row.getByText('Upstream failing').waitFor({ timeout: patienceMs })
    await person.see('44-failing-in-the-list')
    await row.getByRole('link', { name: 'shop', exact: true }).click()
    await person.heading('shop')
    const code = /PT-\d{4}/.exec(refused.body)?.[0] ?? 'no code on the page'
    await person.page.getByText(code).first().waitFor()
    await person.see('45-why')
    await person.page.getByRole('tab', { name: 'Events' }).click()
    await person.page.getByText('Visitors met it').first().waitFor({ timeout: patienceMs })
    await person.see('46-events')
    const help = await fetch(`${this.#stage.url}/errors/${code}`)
    assert.equal(help.status, 200, 'the page about the code is there')
    await this.#openSite(port)
    assert.equal((await visit(this.#stage, this.#url)).status, 200)
    await person.page.getByText('Healthy', { exact: true }).first().waitFor({ timeout: patienceMs })
  }

  async #replay(): Promise<void> {
    const paid = '{"type":"invoice.paid"}'
    const headers = { 'content-type': 'application/json' }
    await visit(this.#stage, `${this.#url}/hooks/pay`, { method: 'POST', headers, body: paid })
    const { url } = await this.#told(this.#ptun, 'inspector.ready', onlineSchema)
    const page = await this.#cyd.newTab()
    await page.goto(url)
    await page
      .getByRole('button', { name: /hooks\/pay/ })
      .first()
      .click()
    await page.getByText('"type": "invoice.paid"').waitFor()
    await page.getByRole('button', { name: 'Send again', exact: true }).click()
    await eventually('it came again', () => this.#bodies.length === 2 || undefined, patienceMs)
    await page.getByRole('button', { name: 'Change and send' }).click()
    await page.getByLabel('Body', { exact: true }).fill('{"type":"invoice.changed"}')
    await page.getByRole('button', { name: 'Send', exact: true }).click()
    await eventually('it came changed', () => this.#bodies.length === 3 || undefined, patienceMs)
    assert.deepEqual(this.#bodies, [paid, paid, '{"type":"invoice.changed"}'])
    await page.close()
  }

  async #stopAgent(): Promise<void> {
    const person = this.#cyd
    await person.go('/agents')
    await person.page.getByRole('table').getByRole('link').first().click()
    await person.click('Stop this agent')
    await person.see('47-stop')
    await person.confirm('Stop this agent')
    assert.equal((await within(this.#ptun.exited, 'the agent ends')).code, 5)
    await person.page.getByText('This agent serves no tunnel now.').waitFor()
    await eventually(
      'visitors are told that the tunnel is offline',
      async () => (await visit(this.#stage, this.#url)).status !== 200 || undefined,
    )
    await this.#serve()
    assert.equal((await visit(this.#stage, this.#url)).status, 200)
  }

  async #pay(): Promise<void> {
    const person = this.#cyd
    const { page } = person
    await person.go('/plans')
    await person.heading('Plans')
    const { account } = await this.#me()
    await this.#stage.operator('accounts', 'plan', account, 'free')
    await this.#stage.operator('billing', 'sync', '--apply')
    await person.go('/plans')
    await person.click('Choose Pro, by the month')
    await page.getByLabel('Card number').waitFor()
    await page.getByLabel('Card number').fill('4242424242424242')
    await page.getByLabel('Name').fill('Cyd')
    await page.getByLabel('Country').fill('US')
    await page.keyboard.press('Enter')
    await page.getByRole('listitem', { name: 'Pro' }).getByText('Your plan').waitFor({ timeout: patienceMs })
    await person.see('48-paid')
    await eventually(
      'the limits of the plan are in force',
      async () => (await this.#me()).limits.tunnelsOnline === 10 || undefined,
      patienceMs,
    )
  }

  async #operate(): Promise<void> {
    await this.#stage.operator('operators', 'add', cyd.email)
    await operatorPages(this.#cyd, await this.#me())
  }

  async #me(): Promise<z.infer<typeof meSchema>> {
    return meSchema.parse((await this.#cyd.ask('GET', '/v1/me')).body)
  }
}
