/**
 * Names of topics and subscriptions, and how subscriptions deliver. All our names begin with `ptun.`, so that a project
 * may hold other things too. Shared with the infrastructure (cdktf/), so it loads no SDK.
 */

/** @param topic as in shared/control/names.ts */
export function topicName(topic: string): string {
  return `ptun.${topic}`
}

/** @param key the listener: a relay's cell slot, or the name of a tool */
export function subscriptionName(topic: string, key: string): string {
  return `ptun.${topic}.${key}`
}

export function topicPath(project: string, topic: string): string {
  return `projects/${project}/topics/${topicName(topic)}`
}

export function subscriptionPath(project: string, topic: string, key: string): string {
  return `projects/${project}/subscriptions/${subscriptionName(topic, key)}`
}

/** The topic for messages that failed at every delivery, and the key of its one subscription. */
export const deadLetters = { topic: 'dead-letters', key: 'keeper' } as const

export const delivery = {
  ackDeadlineSeconds: 10,
  /** By then every relay has got older commands from `sync` many times. */
  retentionSeconds: 600,
  /** Dead letters wait for a person. */
  keeperRetentionSeconds: 7 * 86_400,
  /** Pub/Sub's own way to the dead letters, for messages that kill the process handling them. */
  deliveriesMax: 10,
} as const
