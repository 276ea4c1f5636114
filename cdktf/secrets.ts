/** Secrets of the functions: the stack makes them, and a release gives their values to Terraform. */
import type { functionAccounts } from './names.ts'

type FunctionName = keyof typeof functionAccounts

/** By the environment variable in which a function reads it. `TF_VAR_<variable>` gives it to Terraform. */
export const secrets = {
  STRIPE_WEBHOOK_SECRET: {
    id: 'stripe-webhook-secret',
    variable: 'stripe_webhook_secret',
    readers: ['stripeWebhook'],
  },
  /** `none` where nothing is sold. */
  STRIPE_KEY: {
    id: 'stripe-key',
    variable: 'stripe_key',
    readers: ['api', 'onJobs', 'onSchedule'],
  },
  STRIPE_EVENTS_SECRET: {
    id: 'stripe-events-secret',
    variable: 'stripe_events_secret',
    readers: ['stripeWebhook'],
  },
  PORTTUNNELER_CLOUDFLARE_TOKEN: {
    id: 'cloudflare-token',
    variable: 'cloudflare_token',
    readers: ['onJobs', 'onSchedule'],
  },
  PORTTUNNELER_MAIL_SMTP: {
    id: 'mail-smtp',
    variable: 'mail_smtp',
    readers: ['onJobs', 'onSchedule'],
  },
} as const satisfies Record<string, { id: string; variable: string; readers: readonly FunctionName[] }>
