/**
 * How each function is deployed: what the infrastructure has to set, because Google's own defaults are others.
 * docs/cloud-resources.md shows the table, and a test compares.
 */
export type Deployment = {
  /** Who calls it; all but Pub/Sub's by HTTP. */
  readonly trigger: 'everybody' | 'scheduler' | 'topic ptun.events' | 'topic ptun.jobs'
  readonly memoryMiB: number
  readonly cpu: number
  /** Requests that one instance takes at once: the caches of one instance serve all of them. */
  readonly concurrency: number
  readonly minInstances: number
  readonly maxInstances: number
  readonly timeoutSeconds: number
  /** Whether Pub/Sub sends again what failed. A kick that is lost is found by the next round. */
  readonly retry: boolean
  /** Whether it signs or makes keys, and its account may use the one of KMS: a new instance unwraps them at once. */
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
    // A job has a lease of a minute, and begins it anew with each step that it keeps.
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
    // A round that is late and the next one; a job is claimed by one of them.
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
