/** `webhooks` of ptun.yaml and `--verify-webhook`, turned into what the gate checks (http/webhooks/held-webhook.ts). */
import { createHash } from 'node:crypto'
import { Secret } from '@porttunneler/shared/base/secret'
import { z } from 'zod'
import type { WebhookCheck } from './http/webhooks/held-webhook.ts'
import { signatureHeaderPattern, webhookSchemes } from './http/webhooks/signatures.ts'

export const webhooksSchema = z
  .strictObject({
    verify: z
      .enum(webhookSchemes)
      .describe('Who signs: stripe, github, slack, or hmac (SHA-256 of the body).'),
    secret: z
      .string()
      .min(1)
      .optional()
      .describe('The secret of the signatures, best from a variable of the environment.'),
    secretFile: z.string().min(1).optional().describe('The same from a file that others may not read.'),
    header: z
      .string()
      .toLowerCase()
      .regex(signatureHeaderPattern, 'not the name of a header')
      .optional()
      .describe('With hmac: the header of the signature. Without it x-signature.'),
  })
  .refine(
    ({ secret, secretFile }) => (secret === undefined) !== (secretFile === undefined),
    'give secret or secretFile, one of the two',
  )
  .refine(({ verify, header }) => header === undefined || verify === 'hmac', 'header is for hmac alone')

export type WebhookOptions = z.infer<typeof webhooksSchema>

/** @param secret of `secret` or of the file; space around it is no part of it */
export function webhookCheckOf(
  { verify, header = 'x-signature' }: WebhookOptions,
  secret: string,
): WebhookCheck {
  const text = secret.trim()
  const fingerprint = createHash('sha256').update(text).digest('hex')
  return { scheme: verify, header, secret: new Secret(text), fingerprint }
}
