/**
 * Test projects by what they need: `unit` runs in a second or two and sits beside the code; `tidy` keeps the house
 * in order; `contract` runs every platform implementation through its suite; `e2e` starts real programs.
 * With PT_TEST_REPORTS a run leaves its counts in that folder, for .ci/run to add up.
 */
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

const common = { environment: 'node', pool: 'forks' } as const
const packages = '{shared,relay-vm,cli,standalone,functions,web}'
const installed = '**/{node_modules,dist}/**'
const reports = process.env.PT_TEST_REPORTS

export default defineConfig({
  test: {
    reporters: reports ? ['default', 'json'] : ['default'],
    ...(reports && { outputFile: { json: join(reports, `${process.pid}.json`) } }),
    projects: [
      {
        test: {
          ...common,
          name: 'unit',
          include: [`${packages}/**/*.test.ts`],
          exclude: [installed, '**/*.contract.test.ts'],
        },
      },
      { test: { ...common, name: 'tidy', include: ['e2e/repo/*.test.ts'], testTimeout: 30_000 } },
      {
        test: {
          ...common,
          name: 'contract',
          include: [`${packages}/**/*.contract.test.ts`],
          exclude: [installed],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          ...common,
          name: 'e2e',
          include: ['e2e/**/*.test.ts'],
          exclude: ['e2e/repo/**', installed],
          globalSetup: ['e2e/global-setup.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
    ],
  },
})
