/**
 * Which Firestore database a revision of a function works on. A restore to a point in time changes it by hand
 * (docs/disaster.md), for all functions together; a release never does, in either direction: calls that were moved
 * over it would go on with the state of the other database, and what was written since would be missing.
 */
import { fail } from '@porttunneler/shared/base/errors'
import { z } from 'zod'
import { defaultDatabase } from '../cdktf/environment.ts'
import { ask, type Command } from './command.ts'
import { inRegion, type Release } from './release.ts'
import { existingServices, trafficOf } from './traffic.ts'

/** All functions get the variable from one place of the stack, so one of them speaks for all. */
const spokesman = 'api'
const variable = 'PORTTUNNELER_DATABASE'

const revisionSchema = z.looseObject({
  spec: z.looseObject({
    containers: z
      .array(
        z.looseObject({
          env: z.array(z.looseObject({ name: z.string(), value: z.string().optional() })).default([]),
        }),
      )
      .min(1),
  }),
})

type Asking = Pick<Release, 'environment' | 'run'>

/** The database that calls are answered from now; undefined before the first release. */
export async function servingDatabase(asking: Asking): Promise<string | undefined> {
  if (!(await existingServices(asking)).includes(spokesman)) return undefined
  return await databaseOf(asking, (await trafficOf(asking, spokesman)).most)
}

async function databaseOf(asking: Asking, revision: string): Promise<string> {
  const command: Command = {
    program: 'gcloud',
    args: ['run', 'revisions', 'describe', revision, ...inRegion(asking), '--format=json'],
    why: `which database ${revision} works on`,
  }
  const { spec } = await ask(asking.run, revisionSchema, command)
  const entries = spec.containers.flatMap(({ env }) => env)
  return entries.find(({ name }) => name === variable)?.value ?? defaultDatabase
}

/**
 * Before calls go back to these revisions.
 * @throws release.database when they work on another database than the calls now
 */
export async function requireSameDatabase(
  asking: Asking,
  revisions: Readonly<Record<string, string>>,
): Promise<void> {
  const target = revisions[spokesman]
  if (target === undefined) return
  const [now, then] = [await servingDatabase(asking), await databaseOf(asking, target)]
  if (now === undefined || now === then) return
  throw fail(
    'release.database',
    `Calls are answered from the database ${now}, and ${target} works on ${then}. Nothing was changed. ` +
      `Going back would lose from sight all that was written to ${now}, and bring back what ${then} had.`,
  )
}
