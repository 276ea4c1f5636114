/** Access tokens of the person at this machine: Google's application default credentials. */
import { fail } from '@porttunneler/shared/base/errors'
import { applicationDefault } from 'firebase-admin/app'
import type { AccessToken } from './google-rest.ts'

/** @throws cloud.environment without credentials */
export async function operatorToken(): Promise<AccessToken> {
  try {
    return await applicationDefault().getAccessToken()
  } catch (cause) {
    const cure = 'run "gcloud auth application-default login", or set GOOGLE_APPLICATION_CREDENTIALS'
    throw fail('cloud.environment', `There are no application default credentials: ${cure}.`, { cause })
  }
}
