/**
 * The order of test files for e2e/run.ts: the longest first, so that no worker is left with a long one at the end.
 * vitest knows durations only from an earlier run on the same machine, which CI has not.
 */
import type { TestSequencer, TestSpecification } from 'vitest/node'

/** Seconds in CI on two cores, November 2026. Only the order depends on them; files that are not named take fewer. */
const seconds: Readonly<Record<string, number>> = {
  'e2e/standalone.test.ts': 122,
  'e2e/console.test.ts': 111,
  'e2e/applied.test.ts': 111,
  'e2e/walk.test.ts': 67,
  'functions/platform/store.firestore.contract.test.ts': 59,
  'e2e/chaos.test.ts': 47,
  'e2e/refusals.test.ts': 44,
  'e2e/firebase.test.ts': 43,
  'e2e/outbound-proxy.test.ts': 40,
  'cdktf/stacks.test.ts': 39,
  'e2e/billing.test.ts': 40,
  'e2e/cloud.test.ts': 36,
  'e2e/restart.test.ts': 35,
  'e2e/deb.test.ts': 35,
  'e2e/description.test.ts': 33,
  'e2e/upgrade.test.ts': 27,
  'e2e/rolling-restart.test.ts': 27,
  'e2e/network.test.ts': 26,
  'cdktf/first-steps.test.ts': 25,
  'e2e/refusals-relay.test.ts': 21,
  'e2e/end-to-end.test.ts': 20,
  'e2e/local-authority.test.ts': 19,
  'e2e/relay-vm.test.ts': 19,
  'e2e/social.test.ts': 18,
  'e2e/release.test.ts': 18,
  'e2e/names.test.ts': 17,
  'e2e/last-words-paths.test.ts': 16,
  'e2e/container.test.ts': 15,
  'release/gcloud.contract.test.ts': 14,
  'e2e/disaster.test.ts': 14,
  'e2e/last-words.test.ts': 13,
  'e2e/upstreams.test.ts': 11,
  'cdktf/commands.test.ts': 10,
  'e2e/port-range.test.ts': 10,
  'cdktf/recoveries.test.ts': 10,
}
const root = new URL('../', import.meta.url).pathname

export class LongestFirst implements TestSequencer {
  async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.toSorted((one, other) => secondsOf(other) - secondsOf(one))
  }

  /** CI has one machine. */
  async shard(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files
  }
}

function secondsOf({ moduleId }: TestSpecification): number {
  return seconds[moduleId.replace(root, '')] ?? 0
}
