/** Firestore: the database, what the generated indexes file says, rules that let nobody in but the functions. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { FirebaserulesRelease } from '@cdktf/provider-google/lib/firebaserules-release/index.js'
import { FirebaserulesRuleset } from '@cdktf/provider-google/lib/firebaserules-ruleset/index.js'
import { FirestoreBackupSchedule } from '@cdktf/provider-google/lib/firestore-backup-schedule/index.js'
import { FirestoreDatabase } from '@cdktf/provider-google/lib/firestore-database/index.js'
import { FirestoreField } from '@cdktf/provider-google/lib/firestore-field/index.js'
import { FirestoreIndex } from '@cdktf/provider-google/lib/firestore-index/index.js'
import { Construct } from 'constructs'
import { z } from 'zod'
import { defaultDatabase } from '../../environment.ts'
import { irreplaceable, type PorttunnelerStack } from '../porttunneler-stack.ts'

const functions = join(import.meta.dirname, '../../../functions')
const indexesSchema = z.strictObject({
  indexes: z.array(
    z.strictObject({
      collectionGroup: z.string(),
      queryScope: z.literal('COLLECTION'),
      fields: z
        .array(z.strictObject({ fieldPath: z.string(), order: z.enum(['ASCENDING', 'DESCENDING']) }))
        .min(2),
    }),
  ),
  fieldOverrides: z.array(
    z.strictObject({
      collectionGroup: z.string(),
      fieldPath: z.string(),
      ttl: z.boolean().optional(),
      indexes: z.tuple([]),
    }),
  ),
})
const dailyKept = `${14 * 86_400}s`
/** The longest that Google keeps a backup: 14 weeks. */
const weeklyKept = `${98 * 86_400}s`

export class Database extends Construct {
  constructor(stack: PorttunnelerStack, name: string) {
    super(stack, name === defaultDatabase ? 'database' : `database-${name}`)
    const { region } = stack.environment
    const database = new FirestoreDatabase(this, 'default', {
      name,
      locationId: region,
      type: 'FIRESTORE_NATIVE',
      concurrencyMode: 'PESSIMISTIC',
      pointInTimeRecoveryEnablement: 'POINT_IN_TIME_RECOVERY_ENABLED',
      deleteProtectionState: 'DELETE_PROTECTION_ENABLED',
      deletionPolicy: 'ABANDON',
      lifecycle: irreplaceable,
    })
    new FirestoreBackupSchedule(this, 'daily', {
      database: database.name,
      retention: dailyKept,
      dailyRecurrence: {},
    })
    new FirestoreBackupSchedule(this, 'weekly', {
      database: database.name,
      retention: weeklyKept,
      weeklyRecurrence: { day: 'SUNDAY' },
    })
    this.#indexes(database)
    this.#rules(stack, database, name)
  }

  #indexes(database: FirestoreDatabase): void {
    const { indexes, fieldOverrides } = indexesSchema.parse(
      JSON.parse(readFileSync(join(functions, 'firestore.indexes.json'), 'utf8')),
    )
    // Named by what they are: by number, a new one in the middle would rebuild all after it.
    for (const { collectionGroup, queryScope, fields } of indexes)
      new FirestoreIndex(this, [collectionGroup, ...fields.map(({ fieldPath }) => fieldPath)].join('-'), {
        database: database.name,
        collection: collectionGroup,
        queryScope,
        fields: fields.map(({ fieldPath, order }) => ({ fieldPath, order })),
      })
    // Expiry and index of one field are one resource: two would undo each other's settings.
    for (const { collectionGroup, fieldPath, ttl } of fieldOverrides)
      new FirestoreField(this, `field-${collectionGroup}-${fieldPath}`, {
        database: database.name,
        collection: collectionGroup,
        field: fieldPath,
        indexConfig: {},
        ...(ttl && { ttlConfig: {} }),
      })
  }

  #rules({ environment }: PorttunnelerStack, database: FirestoreDatabase, name: string): void {
    const ruleset = new FirebaserulesRuleset(this, 'rules', {
      source: {
        files: [
          { name: 'firestore.rules', content: readFileSync(join(functions, 'firestore.rules'), 'utf8') },
        ],
      },
      lifecycle: { createBeforeDestroy: true },
      dependsOn: [database],
    })
    new FirebaserulesRelease(this, 'release', {
      name: name === defaultDatabase ? 'cloud.firestore' : `cloud.firestore/${name}`,
      rulesetName: `projects/${environment.project}/rulesets/${ruleset.name}`,
    })
  }
}
