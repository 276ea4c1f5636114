/**
 * Test projects by their needs: `unit` is beside the code and quick; `tidy` checks the house rules; `contract` runs
 * every platform implementation through its suite, and models and fuzzers; `e2e` starts real programs. With
 * PT_TEST_REPORTS a run leaves its counts in that folder, for .ci/run to add up.
 */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { LongestFirst } from './e2e/longest-first.ts'

const common = { environment: 'node', pool: 'forks' } as const
const packages = '{shared,relay-vm,cli,standalone,functions,ptunctl,packaging,web,site,bench,release}'
/** Suites of platform implementations, models and fuzzers: seconds each, so not with every check. */
const long = '**/*.{contract,model,fuzz}.test.ts'
/** Programs that unit tests start need not be compiled each time: a fifth of what ptunctl's test takes. */
const compiled = join(import.meta.dirname, 'node_modules/.cache/compiled')
const installed = '**/{node_modules,dist}/**'
const reports = process.env.PT_TEST_REPORTS
/** A third of their time unit tests wait for sockets, timers and disks, so three at a time keep two cores busy. */
const quick = { maxWorkers: Math.ceil(availableParallelism() * 1.5), sequence: { groupOrder: 1 } }
/** In CI, where other work may use the machine; e2e/count.ts names the tests that needed it (docs/decisions/0056). */
const retry = process.env.CI ? 1 : 0
/** How many files e2e/run.ts wants at a time, of all its projects; they begin with those that take longest. */
const together = process.env.PT_WORKERS && { maxWorkers: Number(process.env.PT_WORKERS) }
/**
 * For a test of programs, ms. It only ends tests that hang: where others use the cores, a start of a second takes half
 * a minute. A test that promises a time measures it itself.
 */
const programsMs = 240_000

export default defineConfig({
  test: {
    ...(together && { sequence: { sequencer: LongestFirst } }),
    reporters: reports ? ['default', 'json'] : ['default'],
    ...(reports && { outputFile: { json: join(reports, `${process.pid}.json`) } }),
    projects: [
      {
        test: {
          ...common,
          ...quick,
          name: 'unit',
          // Unit tests share no state that they change, so a worker reads each module once: half the time.
          isolate: false,
          env: { NODE_COMPILE_CACHE: compiled },
          // A simulated year starts no programs either.
          include: [`${packages}/**/*.test.ts`, 'e2e/year/*.test.ts'],
          exclude: [installed, long],
          // Most take milliseconds; the limit only ends tests that hang, also where others use both cores.
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      // Reading all files takes seconds, and minutes where others use both cores.
      {
        test: { ...common, ...quick, name: 'tidy', include: ['e2e/repo/*.test.ts'], testTimeout: programsMs },
      },
      {
        test: {
          ...common,
          name: 'contract',
          // As with unit tests. Programs under test are the work of the project e2e, whose files must not share.
          isolate: false,
          include: [`${packages}/${long}`],
          exclude: [installed],
          globalSetup: ['functions/testing/emulators.setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          retry,
          ...together,
        },
      },
      // Needs packages of its own (`npm ci` in cdktf) and Terraform.
      {
        test: {
          ...common,
          name: 'stack',
          // Reading the bindings of all providers takes a second, which a worker needs once.
          isolate: false,
          include: ['cdktf/*.test.ts'],
          // Where each value was made matters to nobody here, and takes half the time of a synthesis.
          env: { CDKTN_DISABLE_CREATION_STACK: '1' },
          testTimeout: programsMs,
          hookTimeout: programsMs,
          retry,
          ...together,
        },
      },
      {
        test: {
          ...common,
          name: 'e2e',
          include: ['e2e/**/*.test.ts'],
          exclude: ['e2e/{repo,year}/**', installed],
          globalSetup: ['e2e/global-setup.ts', 'functions/testing/emulators.setup.ts'],
          testTimeout: programsMs,
          hookTimeout: programsMs,
          // Else one file after the other.
          maxWorkers: 1,
          retry,
          ...together,
        },
      },
    ],
  },
})
