/** The main job on one machine, as two commands start it. */
import { startStandaloneService } from './harness/standalone.ts'
import { describeMainJob } from './main-job.ts'

describeMainJob('standalone', startStandaloneService)
