/**
 * The walk of people, one description for every platform: sign up by OIDC, add a passkey, make a team, invite, accept
 * in a second browser, be required to use a second factor, lose the device, recover, leave, delete. Each step looks at
 * what the person sees and at what API and audit log say.
 */
import assert from 'node:assert/strict'
import { z } from 'zod'
import { eventually } from '../harness/events.ts'
import { addPasskey, Person } from './person.ts'
import type { Somebody, Stage } from './stage.ts'
import { type WalkOptions, walkSteps } from './steps.ts'

const hourMs = 3_600_000
const ada: Somebody = { sub: 'ada', email: 'ada@example.com' }
const bob: Somebody = { sub: 'bob', email: 'bob@example.com' }
/** Memberships and factors are known in every process within half a minute (0045); pages ask when they are loaded. */
const knownMs = 120_000
/** Due jobs are found once a minute, however far a clock jumps. */
const jobMs = 180_000

/** @throws the first thing that is not as described */
export async function walk(options: WalkOptions): Promise<void> {
  const walking = new Walk(options)
  await walkSteps(walking.steps, options)
  await walking.end()
}

const meSchema = z.object({ user: z.string(), email: z.string(), role: z.string(), accountName: z.string() })
const membersSchema = z.object({ items: z.array(z.looseObject({ email: z.string(), role: z.string() })) })
const auditSchema = z.object({ items: z.array(z.object({ action: z.string() })) })
const sessionsSchema = z.object({ items: z.array(z.looseObject({ method: z.string() })) })

class Walk {
  readonly steps: readonly (readonly [name: string, step: () => Promise<void>])[] = [
    ['sign up by OIDC', () => this.#signUp()],
    ['add a passkey', () => this.#addPasskey()],
    ['make a team', () => this.#makeTeam()],
    ['invite', () => this.#invite()],
    ['accept in a second browser', () => this.#accept()],
    ['be required to use a second factor', () => this.#beRequired()],
    ['lose the device', () => this.#loseDevice()],
    ['recover after 72 hours', () => this.#recover()],
    ['confirm, and take the own data', () => this.#takeData()],
    ['leave', () => this.#leave()],
    ['delete, which is done after 14 days', () => this.#delete()],
  ]
  readonly #options: WalkOptions
  readonly #open: Person[] = []
  #aheadMs = 0
  #ada!: Person
  #bob!: Person

  constructor(options: WalkOptions) {
    this.#options = options
  }

  async end(): Promise<void> {
    for (const person of this.#open.splice(0)) await person.close()
  }

  get #stage(): Stage {
    return this.#options.stage
  }

  async #newBrowser(): Promise<Person> {
    const { browser, pictures, stage } = this.#options
    const { url, prelude } = stage
    const person = await Person.open(browser, { url, prelude, pictures, aheadMs: this.#aheadMs })
    this.#open.push(person)
    return person
  }

  async #moveClock(ms: number): Promise<void> {
    this.#aheadMs += ms
    this.#stage.moveClock(this.#aheadMs)
    for (const person of this.#open) await person.moveClock(ms)
  }

  async #signUp(): Promise<void> {
    const person = await this.#newBrowser()
    this.#ada = person
    await person.go('/sign-in')
    await person.page.getByRole('button', { name: 'Continue with Example Ltd' }).waitFor()
    await person.see('01-sign-in')
    await this.#stage.signIn(person, ada, true)
    await person.page.getByText('Your first tunnel takes two commands').waitFor()
    await person.see('02-first-page')
    const me = meSchema.parse((await person.ask('GET', '/v1/me')).body)
    assert.deepEqual([me.email, me.role], [ada.email, 'owner'])
    const { items } = sessionsSchema.parse((await person.ask('GET', '/v1/sign-ins')).body)
    assert.deepEqual(
      items.map(({ method }) => method),
      ['oidc:work'],
    )
  }

  async #addPasskey(): Promise<void> {
    await this.#ada.go('/security')
    await this.#ada.heading('Security')
    await this.#ada.page.getByRole('button', { name: 'Add a passkey' }).waitFor()
    await this.#ada.see('03-security-empty')
    await addPasskey(this.#ada, 'Laptop', '04')
    await this.#stage.mailTo(ada.email, 'A passkey was added')
  }

  async #makeTeam(): Promise<void> {
    await this.#ada.go('/account')
    const form = this.#ada.page.getByRole('form', { name: 'Name of the account' })
    await form.getByLabel('Name').fill('Lab')
    await form.getByRole('button', { name: 'Rename' }).click()
    await this.#ada.page.getByText('owner of Lab').waitFor()
    await this.#ada.see('05-account')
    await this.#ada.go('/sessions')
    const sessions = this.#ada.page.getByRole('list', { name: 'Sessions' })
    await sessions.getByText('with Example Ltd').waitFor()
    await this.#ada.go('/members')
    await this.#ada.page.getByText('Who works in Lab.').waitFor()
    await this.#ada.page.getByText('The only owner cannot leave.').waitFor()
    assert.equal(await this.#ada.page.getByRole('button', { name: 'Leave the account' }).count(), 0)
    assert.deepEqual(await this.#members(), ['ada@example.com owner'])
    assert.ok((await this.#actions()).includes('account.renamed'))
  }

  async #invite(): Promise<void> {
    const { page } = this.#ada
    await this.#ada.see('06-members-alone')
    await this.#ada.click('Invite')
    await page.getByLabel('Email').fill(bob.email)
    await this.#ada.see('07-invite')
    await this.#ada.confirm('Send the invitation')
    await page.getByRole('list', { name: 'Invitations' }).getByText(bob.email).waitFor()
    await this.#ada.see('08-members-invited')
    assert.ok((await this.#actions()).includes('member.invited'))
  }

  async #accept(): Promise<void> {
    const letter = await this.#stage.mailTo(bob.email, 'Invitation to')
    const person = await this.#newBrowser()
    this.#bob = person
    await person.go(linkIn(letter, '/join?'))
    await person.heading('Sign in')
    await this.#stage.signIn(person, bob, true)
    await person.heading('Invitation')
    await person.page.getByText(`You are signed in as ${bob.email}.`).waitFor()
    await person.see('09-invitation')
    await person.click('Join')
    await person.heading('Tunnels')
    assert.deepEqual(await this.#members(), ['ada@example.com owner', 'bob@example.com developer'])
    assert.ok((await this.#actions()).includes('member.added'))
    // The link is good once, and says so.
    await person.go(linkIn(letter, '/join?'))
    await person.page.getByRole('alert').getByText('PT-1116').waitFor()
    await person.see('10-invitation-used')
    await this.#stage.mailTo(ada.email, `${bob.email} joined`)
  }

  async #beRequired(): Promise<void> {
    await this.#ada.go('/members')
    await this.#ada.click('Ask every member for one')
    await this.#ada.page.getByRole('button', { name: 'Ask for it no longer' }).waitFor()
    assert.ok((await this.#actions()).includes('account.factor_policy'))
    const refusal = this.#bob.page.getByRole('alert').getByText('PT-1202')
    await this.#untilShown(this.#bob, refusal)
    await this.#bob.see('11-factor-required')
    await addPasskey(this.#bob, 'Old phone', '12')
    await this.#bob.go('/')
    await this.#bob.heading('Tunnels')
  }

  /** The new browser knows no passkey, and nobody kept the recovery codes. */
  async #loseDevice(): Promise<void> {
    await this.#bob.close()
    this.#open.splice(this.#open.indexOf(this.#bob), 1)
    const person = await this.#newBrowser()
    this.#bob = person
    await person.go('/sign-in')
    await this.#stage.signIn(person, bob, false)
    await person.heading('Second step')
    await person.see('14-second-step')
    await person.click('I lost all of them')
    await person.see('15-lost')
    await person.click('Send me the link')
    await person.page.getByRole('status').getByText('A link is on its way').waitFor()
    const letter = await this.#stage.mailTo(bob.email, 'Sign in without your second factor')
    await person.go(linkIn(letter, '/recover?'))
    await person.heading('Sign in without your second factor')
    await person.see('16-recover')
    await person.click('Begin the wait')
    await person.page.getByText('The wait of 72 hours has begun').waitFor()
    await person.see('17-recover-begun')
    await person.click('Back')
    await person.heading('Second step')
    await person.click('I lost all of them')
    await person.page.getByText('The wait ends on').waitFor()
    await person.see('18-waiting')
    const early = await person.ask('POST', '/v1/factors/recovery/complete')
    assert.equal(z.looseObject({ code: z.string() }).parse(early.body).code, 'PT-1214', 'the wait goes on')
    await this.#stage.mailTo(bob.email, 'Somebody wants to sign in without your second factor')
    await this.#ada.go('/members')
    await this.#ada.page.getByText('lost every second factor and waits to get in').waitFor()
    await this.#ada.see('19-member-waits')
  }

  async #recover(): Promise<void> {
    await this.#moveClock(72 * hourMs + 60_000)
    await this.#bob.go('/')
    await this.#bob.heading('Second step')
    await this.#bob.click('I lost all of them')
    await this.#bob.page.getByRole('button', { name: 'Remove my factors' }).waitFor()
    await this.#bob.see('20-recovery-ready')
    await this.#bob.click('Remove my factors')
    await this.#bob.heading('Sign in')
    await this.#stage.mailTo(bob.email, 'Your second factors were removed')
    await this.#stage.signIn(this.#bob, bob, false)
    // A new sign-in begins in the own account. The team still asks for a factor: a new one, on the new device.
    await this.#bob.heading('Tunnels')
    await this.#bob.click('Account menu')
    await this.#bob.page.getByRole('list', { name: 'Accounts' }).getByRole('button', { name: 'Lab' }).click()
    await this.#bob.page.getByRole('alert').getByText('PT-1202').waitFor()
    await addPasskey(this.#bob, 'New phone', '21')
    await this.#bob.go('/')
    await this.#bob.heading('Tunnels')
  }

  /** A proof of three days ago is not fresh: the page asks for the passkey, and only then gives the file. */
  async #takeData(): Promise<void> {
    const { page } = this.#ada
    await this.#ada.go('/data')
    await page.getByRole('button', { name: 'Export what is stored about you' }).waitFor()
    await this.#ada.see('22-data')
    await this.#ada.click('Export what is stored about you')
    await page.getByRole('dialog').getByRole('heading', { name: 'Confirm that it is you' }).waitFor()
    await page.getByRole('dialog').getByRole('button', { name: 'Use a passkey' }).waitFor()
    await this.#ada.see('23-confirm')
    const [file] = await Promise.all([page.waitForEvent('download'), this.#ada.confirm('Use a passkey')])
    assert.equal(file.suggestedFilename(), 'porttunneler-person.json')
    await this.#ada.go('/account')
    await page.getByLabel('New address').fill('ada.new@example.com')
    await page.getByRole('form', { name: 'Change the address' }).getByRole('button').click()
    await page.getByText('It changes to').waitFor()
    await this.#ada.see('24-address-change')
    await this.#ada.click('Keep the present address')
    await page.getByLabel('New address').waitFor()
  }

  async #leave(): Promise<void> {
    await this.#bob.go('/members')
    await this.#bob.click('Leave the account')
    await this.#bob.see('25-leave')
    await this.#bob.confirm('Leave')
    await this.#bob.page.getByRole('dialog').waitFor({ state: 'detached' })
    await eventually(
      'Bob is no member any more',
      async () => (await this.#members()).length === 1 || undefined,
      knownMs,
    )
    assert.ok((await this.#actions()).includes('member.removed'))
    await this.#bob.go('/account')
    await this.#bob.heading('Account')
    const me = meSchema.parse((await this.#bob.ask('GET', '/v1/me')).body)
    assert.equal(me.role, 'owner', 'Bob is alone in an account of their own')
    assert.notEqual(me.accountName, 'Lab')
    await this.#bob.see('26-own-account')
  }

  async #delete(): Promise<void> {
    await this.#bob.go('/data')
    await this.#bob.click('Delete my sign-in')
    await this.#bob.see('27-delete')
    await this.#bob.confirm('Delete my sign-in')
    await this.#bob.heading('Your sign-in is being deleted')
    await this.#bob.see('28-leaving')
    await this.#stage.mailTo(bob.email, 'Your PortTunneler sign-in will be deleted')
    const find = async () =>
      z.array(z.unknown()).parse(await this.#stage.operator('people', 'find', bob.email))
    assert.equal((await find()).length, 1)
    await this.#moveClock(14 * 24 * hourMs + hourMs)
    await eventually('Bob is erased', async () => (await find()).length === 0 || undefined, jobMs)
    await this.#stage.mailTo(bob.email, 'Your PortTunneler sign-in is deleted')
    await this.#bob.go('/account')
    await this.#bob.heading('Sign in')
    await this.#bob.see('29-deleted')
    // The team goes on.
    await this.#ada.go('/members')
    await this.#ada.page.getByRole('list', { name: 'Members' }).getByText(ada.email).waitFor()
  }

  /** Loads the page until something shows, as a person does who wonders. */
  async #untilShown(
    person: Person,
    what: { isVisible(): Promise<boolean>; waitFor(options: object): Promise<void> },
  ) {
    await eventually(
      'the page shows it',
      async () => {
        await person.go('/')
        await what.waitFor({ timeout: 5_000 }).catch(() => undefined)
        return (await what.isVisible()) || undefined
      },
      knownMs,
    )
  }

  /** As Ada's team has them, sorted. */
  async #members(): Promise<readonly string[]> {
    const { items } = membersSchema.parse((await this.#ada.ask('GET', '/v1/members')).body)
    return items.map(({ email, role }) => `${email} ${role}`).toSorted()
  }

  async #actions(): Promise<readonly string[]> {
    return auditSchema.parse((await this.#ada.ask('GET', '/v1/audit')).body).items.map(({ action }) => action)
  }
}

/** @returns path and query of the link in a mail that leads to this page of the console */
function linkIn(text: string, path: string): string {
  const links = [...text.matchAll(/https?:\/\/\S+/g)].map(([link]) => new URL(link))
  const link = links.find(({ pathname, search }) => `${pathname}${search}`.startsWith(path))
  if (!link) throw new Error(`no link to ${path} in the mail:\n${text}`)
  return `${link.pathname}${link.search}`
}
