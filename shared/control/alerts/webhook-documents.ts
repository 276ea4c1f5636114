/** The documents of webhooks: where an account wants its alerts sent, and each thing that was sent. */
import { collection } from '../names.ts'

/** Chosen by the address, or by the owner: Mattermost and Discord take Slack's form as well. */
export type WebhookFormat = 'standard' | 'slack'

export type WebhookDoc = {
  readonly account: string
  readonly url: string
  readonly format: WebhookFormat
  readonly state: 'active' | 'disabled'
  /** Wrapped by the vault, the newest first. An older one signs as well until its time is over; 0 = for ever. */
  readonly secrets: readonly { readonly wrapped: string; readonly untilMs: number }[]
  readonly by: string
  readonly createdAt: number
  /** Since when nothing has arrived; 0 = the last one did. */
  readonly failingSince: number
  /** Status of the last answer; 0 = there was none. */
  readonly lastStatus: number
  readonly lastAt: number
}

export type DeliveryDoc = {
  readonly account: string
  readonly webhook: string
  /** Such as `alerts.changed`. */
  readonly type: string
  /** As it is sent. */
  readonly body: string
  readonly state: 'waiting' | 'delivered' | 'dead'
  readonly tries: number
  readonly createdAt: number
  readonly lastAt: number
  readonly nextAt: number
  readonly status: number
  /** What went wrong last; '' = nothing. */
  readonly reason: string
  readonly ttl: Date
}

export const webhooks = collection<WebhookDoc>('webhooks')
export const deliveries = collection<DeliveryDoc>('webhookDeliveries')
