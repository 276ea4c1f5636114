/**
 * The stage of the walk in the cloud: everything that `npm run cloud:local` starts, with Google's emulators of
 * Firestore, Pub/Sub and Firebase Auth, and a mail server that keeps what it gets.
 *
 * The Auth emulator asks no OpenID provider: its window takes the claims that it is given, and believes no service but
 * Google about addresses. So a person who signs up confirms the address by Firebase's mail. Exchanges with a real
 * provider are tested on the local identity (standalone/platform/oidc), and are Firebase's own work in the cloud.
 */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { startMailbox } from '@porttunneler/standalone/testing/mailbox'
import { z } from 'zod'
import { noMetadata } from '../harness/auth-emulator.ts'
import { eventually } from '../harness/events.ts'
import { gapiStandIn, passFirebaseWindow } from '../harness/firebase-window.ts'
import { type Program, runProgram, startProgram, textOf } from '../harness/programs.ts'
import { freeSettings, temporaryFolder } from '../harness/standalone.ts'
import { makeClocks } from './clock.ts'
import { startPayments } from './payments.ts'
import type { Person } from './person.ts'
import type { Somebody, Stage } from './stage.ts'

const reportSchema = z.object({
  pid: z.int(),
  api: z.url(),
  project: z.string(),
  emulators: z.object({ auth: z.string() }),
})
type Report = z.infer<typeof reportSchema>
const codesSchema = z.object({
  oobCodes: z.array(z.object({ email: z.string(), requestType: z.string(), oobLink: z.string() })),
})
/** With builds, and emulators on a machine that is busy. */
const startMs = 300_000
/** A job whose kick was lost is found by a round, once a minute; with a second try after a failure. */
const mailMs = 180_000

export async function openCloudStage(): Promise<Stage> {
  const data = temporaryFolder('cloud')
  const clocks = makeClocks()
  const mailbox = await startMailbox()
  const ports = await freeSettings()
  const payments = await startPayments(ports.PORTTUNNELER_CONSOLE_PORT)
  const billing = {
    STRIPE_KEY: payments.key,
    STRIPE_WEBHOOK_SECRET: payments.secret,
    PORTTUNNELER_EMULATED_STRIPE: payments.url,
  }
  const args = ['--relays', '1', '--sign-in', 'emulator', '--data', data]
  const program = await startProgram('node', ['e2e/cloud-local/main.ts', ...args], {
    env: {
      ...ports,
      ...billing,
      ...clocks.env,
      PORTTUNNELER_OWN_PORTS: '0',
      PORTTUNNELER_METRICS_PORT: '0',
      PORTTUNNELER_MAIL_SMTP: mailbox.url,
      PORTTUNNELER_MAIL_FROM: 'PortTunneler <mailer@example.com>',
      FIREBASE_PROVIDERS: '',
      FIREBASE_ISSUERS: JSON.stringify([{ id: 'oidc.work', name: 'Example Ltd' }]),
    },
  })
  const report = await readReport(program, join(data, 'cloud-local.json'))
  const operatorEnv = join(data, 'operator.env')
  return {
    name: 'cloud',
    url: new URL(report.api).origin,
    addressOf: (_host, port) => ({ host: '127.0.0.1', port }),
    prelude: gapiStandIn,
    signIn: (person, who, isNew) => signIn(report, person, { who, isNew }),
    mailTo: (email, subject) =>
      eventually(`a mail to ${email}: ${subject}`, () => mailbox.find(email, subject), mailMs),
    moveClock: clocks.set,
    operator: async (...words) => {
      const env = { ...noMetadata, ...billing, ...clocks.env, ...parseEnv(readFileSync(operatorEnv, 'utf8')) }
      const said = await runProgram('node', ['ptunctl/ptunctl.js', '--json', ...words], { env })
      return JSON.parse(said.stdout)
    },
    stop: async () => {
      await program.stop()
      await mailbox.close()
      await payments.close()
      rmSync(data, { recursive: true, force: true })
    },
  }
}

async function readReport(program: Program, file: string): Promise<Report> {
  const ended = program.exited.then(({ code }): never => {
    throw new Error(`it ended with ${code}:\n${textOf(program, 'stderr').slice(-3_000)}`)
  })
  const up = eventually(
    'the cloud is up',
    () => reportSchema.parse(JSON.parse(readFileSync(file, 'utf8'))),
    startMs,
  )
  try {
    return await Promise.race([up, ended])
  } catch (error) {
    await program.stop('SIGKILL')
    throw error
  }
}

async function signIn(
  report: Report,
  person: Person,
  { who, isNew }: { readonly who: Somebody; readonly isNew: boolean },
): Promise<void> {
  const { page } = person
  const auth = `http://${report.emulators.auth}`
  await passFirebaseWindow(page, { name: 'Example Ltd', emulatorUrl: auth, claims: who })
  if (isNew) {
    await page.getByRole('heading', { name: 'Confirm your address' }).waitFor()
    await person.see(`cloud-confirm-${who.sub}`)
    await followMail(auth, report.project, who.email)
    await person.click('I have confirmed it')
  }
  await page.waitForURL(({ pathname }) => !pathname.startsWith('/sign-in'))
}

/** Follows the link by which Firebase has an address confirmed. */
async function followMail(auth: string, project: string, email: string): Promise<void> {
  const link = await eventually(`the mail of Firebase to ${email}`, async () => {
    const answer = await fetch(`${auth}/emulator/v1/projects/${project}/oobCodes`)
    const { oobCodes } = codesSchema.parse(await answer.json())
    return oobCodes.findLast((code) => code.email === email && code.requestType === 'VERIFY_EMAIL')?.oobLink
  })
  const followed = await fetch(link, { redirect: 'manual' })
  if (followed.status >= 400) throw new Error(`the link answered ${followed.status}`)
}
