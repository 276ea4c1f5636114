/**
 * globalSetup of the vitest projects whose tests may need the emulators: starts one pair before the first test file,
 * only when a file about to run imports `with-emulators`, and stops it after the last; the pair that e2e/run.ts has
 * started for all its runs is used as it is. Without Java or the jars such
 * tests are skipped and one line says why; if CI is set that is a failure.
 */
import { readFileSync } from 'node:fs'
import type { TestProject } from 'vitest/node'
import { EmulatorsMissing, startEmulators } from './emulators.ts'

export async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  project.provide('emulators', undefined)
  const own = project.vitest.state.getPaths().filter((file) => project.matchesTestGlob(file))
  if (!own.some((file) => readFileSync(file, 'utf8').includes('/with-emulators'))) return undefined
  try {
    // Names of their own: the programs under test must not find them by Google's names.
    const { PT_FIRESTORE_EMULATOR, PT_PUBSUB_EMULATOR, ...own } = process.env
    const env = PT_FIRESTORE_EMULATOR
      ? { FIRESTORE_EMULATOR_HOST: PT_FIRESTORE_EMULATOR, PUBSUB_EMULATOR_HOST: PT_PUBSUB_EMULATOR }
      : own
    const { firestore, pubsub, stop } = await startEmulators({ env })
    project.provide('emulators', { firestore, pubsub })
    return stop
  } catch (error) {
    if (!(error instanceof EmulatorsMissing) || process.env.CI) throw error
    project.vitest.logger.log(`Skipping the tests on Google's emulators: ${error.message}`)
    return undefined
  }
}
