/** `--verify-webhook` and where its secret is, turned into what ptun.yaml says for the same. */
import { fail } from '@porttunneler/shared/base/errors'
import type { Environment } from '../paths.ts'
import { type WebhookOptions, webhooksSchema } from '../webhook-options.ts'

/** As commander gives them. */
export type WebhookFlags = { readonly verifyWebhook?: string; readonly webhookSecretFile?: string }

/** @throws cli.usage */
export function webhooksOfFlags(
  { verifyWebhook, webhookSecretFile: secretFile }: WebhookFlags,
  env: Environment,
): WebhookOptions | undefined {
  if (verifyWebhook === undefined) {
    if (secretFile !== undefined) throw fail('cli.usage', '--webhook-secret-file needs --verify-webhook.')
    return undefined
  }
  const secret = secretFile === undefined ? env.PTUN_WEBHOOK_SECRET : undefined
  if (!secret && secretFile === undefined)
    throw fail(
      'cli.usage',
      '--verify-webhook needs a secret: set PTUN_WEBHOOK_SECRET, or give --webhook-secret-file.',
    )
  const [verify, header] = verifyWebhook.split(':')
  const { data } = webhooksSchema.safeParse({ verify, header, secret, secretFile })
  if (data) return data
  throw fail(
    'cli.usage',
    `--verify-webhook takes stripe, github, slack, hmac or hmac:<header>, not "${verifyWebhook}".`,
  )
}
