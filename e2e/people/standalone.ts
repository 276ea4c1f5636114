/** The stage of the walk on one machine: the server as a user starts it, and a real OpenID provider beside it. */
import { startSignInService } from '@porttunneler/standalone/testing/sign-in-service'
import { freeSettings, startStandaloneService } from '../harness/standalone.ts'
import { makeClocks } from './clock.ts'
import type { Stage } from './stage.ts'

export async function openStandaloneStage(): Promise<Stage> {
  const clocks = makeClocks()
  await clocks.setHere()
  const env = await freeSettings()
  const redirectUri = `http://localhost:${env.PORTTUNNELER_CONSOLE_PORT}/sign-in/with/work`
  const work = await startSignInService({ redirectUri })
  const yaml = `signIn:
  providers:
    - id: work
      name: Example Ltd
      issuer: ${work.issuer}
      clientId: ${work.settings.clientId}
      clientSecret: ${work.settings.secret?.reveal()}
`
  const service = await startStandaloneService({ env: { ...env, ...clocks.env }, yaml })
  const { mailTo, operator } = service.people ?? {}
  if (!mailTo || !operator) throw new Error('the server has no mails or no operator')
  return {
    name: 'standalone',
    url: service.api,
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
      await work.close()
      clocks.set(0)
    },
  }
}
