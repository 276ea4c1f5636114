/** The stage of the walk on one machine: the server as a user starts it, and a real OpenID provider beside it. */
import { startWorkService } from '../harness/sign-in-service.ts'
import { startStandaloneService } from '../harness/standalone.ts'
import { makeClocks } from './clock.ts'
import { startPayments } from './payments.ts'
import type { Stage } from './stage.ts'

export async function openStandaloneStage(): Promise<Stage> {
  const clocks = makeClocks()
  await clocks.setHere()
  const { work, env, yaml } = await startWorkService()
  const payments = await startPayments(env.PORTTUNNELER_CONSOLE_PORT)
  const billing = {
    PORTTUNNELER_STRIPE_KEY: payments.key,
    PORTTUNNELER_STRIPE_SERVER: payments.url,
    PORTTUNNELER_STRIPE_WEBHOOK_SECRET: payments.secret,
  }
  const service = await startStandaloneService({ env: { ...env, ...billing, ...clocks.env }, yaml })
  const { mailTo, operator } = service.people ?? {}
  if (!mailTo || !operator) throw new Error('the server has no mails or no operator')
  return {
    name: 'standalone',
    url: service.api,
    addressOf: service.addressOf,
    signIn: async (person, who) => {
      work.be({ ...who, email_verified: true })
      await person.click('Continue with Example Ltd')
      await person.page.waitForURL(({ pathname }) => !pathname.startsWith('/sign-in'))
    },
    mailTo,
    moveClock: clocks.set,
    operator,
    stop: async () => {
      await service.stop()
      await payments.close()
      await work.close()
      clocks.set(0)
    },
  }
}
