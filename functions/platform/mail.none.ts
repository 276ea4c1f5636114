/** No mail service. Firebase itself sends the mails of sign-in (confirming an address, a new password). */
import { fail } from '@porttunneler/shared/base/errors'
import type { Mail } from '@porttunneler/shared/control/platform'

export const noMail: Mail = {
  isAbsent: true,
  async send() {
    throw fail('cloud.mail')
  },
}
