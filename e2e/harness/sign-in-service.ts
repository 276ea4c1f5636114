/** A server of ours that lets people in by another service: a real OpenID provider of this machine. */
import { type SignInService, startSignInService } from '@porttunneler/standalone/testing/sign-in-service'
import { freeSettings } from './standalone.ts'

/** @returns the provider `work`, which people read as Example Ltd, and the settings of a server that offers it */
export async function startWorkService(): Promise<{
  readonly work: SignInService
  readonly env: Awaited<ReturnType<typeof freeSettings>>
  readonly yaml: string
}> {
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
  return { work, env, yaml }
}
