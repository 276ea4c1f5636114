/** Erasure and export of a person, over the store of the standalone server. */
import { describeTraces } from './testing/traces.contract.ts'

describeTraces('sqlite', async () => undefined)
