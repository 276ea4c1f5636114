/**
 * What a release remembers, beside Terraform's state in the environment's bucket: what runs (`current.json`), and the
 * release that is not finished (`under-way.json`), which also keeps others out. So a rollback knows what was there
 * before, and a crashed release can go on anywhere.
 */
import { fail, isFailure } from '@porttunneler/shared/base/errors'
import { z } from 'zod'
import type { Environment } from '../cdktf/environment.ts'
import { stateBucket } from '../cdktf/names.ts'
import { type Command, parseAnswer, type Run } from './command.ts'

const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
/** Hashes: that of the archive of functions, and that of the relays' list of archives. */
const archivesSchema = z.strictObject({ functions: sha256, relays: sha256 })
/** What Cloud Run calls a revision: `api-00007-tab`. */
const revision = z.string().regex(/^[a-z][a-z0-9-]{0,62}$/)
const revisionsSchema = z.record(z.string(), revision)
/** Hosting's name of what it serves. */
const webVersion = z.string().regex(/^sites\/[\w-]+\/versions\/[\w-]+$/)

const runningSchema = z.strictObject({
  id: z.string().regex(/^[0-9TZ]+-[0-9a-f]{7}$/),
  commit: z.string().regex(/^[0-9a-f]{40}$/),
  at: z.iso.datetime(),
  archives: archivesSchema,
  revisions: revisionsSchema,
  web: webVersion.optional(),
})
export type Running = z.output<typeof runningSchema>

const currentSchema = z.strictObject({ ...runningSchema.shape, previous: runningSchema.optional() })
export type Current = z.output<typeof currentSchema>

const underWaySchema = z.strictObject({
  id: runningSchema.shape.id,
  commit: runningSchema.shape.commit,
  startedAt: z.iso.datetime(),
  /** `back`: it is being undone. */
  direction: z.enum(['forward', 'back']),
  /** Why it is being undone. */
  reason: z.string().max(4_000).optional(),
  /** Steps that are done, by name. */
  done: z.array(z.string()),
  archives: archivesSchema.optional(),
  /** Revisions that had the traffic when it began, and the version of the console: what a rollback goes back to. */
  before: z.strictObject({ revisions: revisionsSchema, web: webVersion.optional() }).optional(),
  /** VMs that run the new archive, or are just being replaced. */
  replaced: z.array(z.string()),
  /** The new revisions. */
  revisions: revisionsSchema,
  web: webVersion.optional(),
})
export type UnderWay = z.output<typeof underWaySchema>

/** Google's words for a name that nothing has. */
const nothingThere = /matched no objects|not found: 404|HTTPError 404/i
const lockTaken = /pre-?condition|HTTPError 412/i

/** The records of one environment. */
export class Records {
  readonly #run: Run
  readonly #folder: string

  constructor(run: Run, environment: Environment) {
    this.#run = run
    this.#folder = `gs://${stateBucket(environment)}/releases`
  }

  async current(): Promise<Current | undefined> {
    return await this.#read('current.json', currentSchema, 'what runs')
  }

  async underWay(): Promise<UnderWay | undefined> {
    return await this.#read('under-way.json', underWaySchema, 'whether a release is not finished')
  }

  /** @throws release.under_way when there is one already */
  async begin(record: UnderWay): Promise<void> {
    try {
      await this.#write(
        'under-way.json',
        record,
        'begins the record, unless there is one',
        '--if-generation-match=0',
      )
    } catch (error) {
      const said = isFailure(error, 'release.command') ? String(error.fields.lastWords) : ''
      if (!lockTaken.test(said)) throw error
      throw fail('release.under_way', undefined, { cause: error })
    }
  }

  async update(record: UnderWay): Promise<void> {
    await this.#write('under-way.json', record, 'records how far it is')
  }

  async setCurrent(current: Current): Promise<void> {
    await this.#write('current.json', current, 'records what runs')
  }

  /** Keeps the record of a release, whatever became of it, and lets the next one begin. */
  async end(record: UnderWay, outcome: string, at: string): Promise<void> {
    await this.#write(`${record.id}/outcome.json`, { ...record, outcome, at }, 'keeps the record')
    await this.#run({
      program: 'gcloud',
      args: ['storage', 'rm', `${this.#folder}/under-way.json`],
      why: 'lets the next release begin',
    })
  }

  /** Where the synthesised stack of relays of a release is kept: a rollback applies it again. */
  relaysOf(id: string): string {
    return `${this.#folder}/${id}/relays/cdk.tf.json`
  }

  async #read<T>(name: string, schema: z.ZodType<T>, why: string): Promise<T | undefined> {
    const args = ['storage', 'cat', `${this.#folder}/${name}`]
    const command: Command = { program: 'gcloud', args, why: `reads ${why}` }
    try {
      return parseAnswer(schema, await this.#run(command), command)
    } catch (error) {
      if (!isFailure(error, 'release.command') || !nothingThere.test(String(error.fields.lastWords)))
        throw error
      return undefined
    }
  }

  async #write(name: string, value: object, why: string, ...flags: readonly string[]): Promise<void> {
    await this.#run({
      program: 'gcloud',
      args: ['storage', 'cp', '-', `${this.#folder}/${name}`, ...flags],
      input: `${JSON.stringify(value, null, 2)}\n`,
      why,
    })
  }
}
