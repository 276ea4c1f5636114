/**
 * How each function is deployed: what the infrastructure has to set because Google's defaults differ.
 * docs/cloud-resources.md shows the table, and a test compares.
 */
export type Deployment = {
  /** Who calls it; by HTTP, except for Pub/Sub. */
  readonly trigger: 'everybody' | 'scheduler' | 'topic ptun.events' | 'topic ptun.jobs'
  readonly memoryMiB: number
  readonly cpu: number
  /** Requests that one instance takes at once: one instance's caches serve all of them. */
  readonly concurrency: number
  readonly minInstances: number
  readonly maxInstances: number
  readonly timeoutSeconds: number
  /** Whether Pub/Sub sends a failed message again. The next round finds a kick that is lost. */
  readonly retry: boolean
  /** Whether it signs or makes keys, and its account may use the KMS key: a new instance unwraps them at once. */
  readonly signs: boolean
}

/** 354 MiB is the peak of `api` at 40 calls at once without a limit; 190 in a container of 256. */
export const deployments: Readonly<Record<string, Deployment>> = {
  api: {
    trigger: 'everybody',
    memoryMiB: 512,
    cpu: 1,
    concurrency: 80,
    minInstances: 1,
    maxInstances: 20,
    timeoutSeconds: 60,
    retry: false,
    signs: true,
  },
  onJobs: {
    trigger: 'topic ptun.jobs',
    memoryMiB: 512,
    cpu: 1,
    concurrency: 8,
    minInstances: 0,
    maxInstances: 10,
    // A job has a lease of a minute, and renews it with each stored step.
    timeoutSeconds: 540,
    retry: false,
    signs: true,
  },
  onRelayEvent: {
    trigger: 'topic ptun.events',
    memoryMiB: 256,
    cpu: 1,
    concurrency: 80,
    minInstances: 0,
    maxInstances: 5,
    timeoutSeconds: 60,
    retry: true,
    signs: false,
  },
  onSchedule: {
    trigger: 'scheduler',
    memoryMiB: 512,
    cpu: 1,
    concurrency: 1,
    minInstances: 0,
    // For a late round and the next one; one of them claims each job.
    maxInstances: 2,
    timeoutSeconds: 540,
    retry: false,
    signs: true,
  },
  stripeWebhook: {
    trigger: 'everybody',
    memoryMiB: 256,
    cpu: 1,
    concurrency: 80,
    minInstances: 0,
    maxInstances: 5,
    timeoutSeconds: 60,
    retry: false,
    signs: false,
  },
}
