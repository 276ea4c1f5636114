/** The settings of the mail server, for both shells: which one, and who the sender is. */
import { z } from 'zod'
import { Secret } from '../base/secret.ts'

export type SmtpSettings = {
  /** `smtps://user:password@host:465`, or `smtp:` with STARTTLS. */
  readonly smtp: Secret
  /** The sender: an address, or `Name <address>`. */
  readonly from: string
}

export const smtpSchema = z.url({ protocol: /^smtps?$/ }).transform((url) => new Secret(url))
export const mailFromSchema = z
  .string()
  .regex(/^[^<>\r\n]*<?[^@<>\s]+@[^@<>\s]+>?$/, 'an address, or: Name <address>')
