/**
 * Test projects by what they need: `unit` runs in a second or two and sits beside the code; `tidy` keeps the house
 * in order; `contract` runs every platform implementation through its suite; `e2e` starts real programs.
 */
import { defineConfig } from 'vitest/config'

const common = { environment: 'node', pool: 'forks' } as const
const packages = '{shared,relay-vm,cli,standalone,functions,web}'

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...common,
          name: 'unit',
          include: [`${packages}/**/*.test.ts`],
          exclude: ['**/node_modules/**', '**/*.contract.test.ts'],
        },
      },
      { test: { ...common, name: 'tidy', include: ['e2e/repo/*.test.ts'], testTimeout: 30_000 } },
      {
        test: {
          ...common,
          name: 'contract',
          include: [`${packages}/**/*.contract.test.ts`],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          ...common,
          name: 'e2e',
          include: ['e2e/**/*.test.ts'],
          exclude: ['e2e/repo/**', '**/node_modules/**'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
    ],
  },
})
