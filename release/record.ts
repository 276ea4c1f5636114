/**
 * What a release remembers, beside Terraform's state in the environment's bucket: what runs (`current.json`), and the
 * release that is not finished (`under-way.json`), which also keeps others out. So a rollback knows what was there
 * before, and a crashed release can go on anywhere.
 *
 * A run writes over nothing but what it has read or written itself: every write names the generation of the object that
 * it replaces. So a run that another one has taken over stops at its next write.
 */
import { createHash, randomUUID } from 'node:crypto'
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
  /** The run that wrote it last. No two write the same, so a run knows its own by the hash. */
  run: z.uuid().optional(),
})
export type UnderWay = z.output<typeof underWaySchema>

/** Google's words for a name that nothing has. */
const nothingThere = /matched no objects|not found: 404|HTTPError 404/i
const lockTaken = /pre-?condition|HTTPError 412/i

const objectSchema = z.looseObject({
  generation: z.union([z.string(), z.number()]).transform(String),
  md5_hash: z.string().optional(),
})
/** What Google calls the generation of an object that does not exist. */
const absent = '0'

/** The records of one environment, as one run of a release reads and writes them. */
export class Records {
  readonly #run: Run
  readonly #folder: string
  readonly #runId = randomUUID()
  /** Generations of objects as this run knows them, by name. */
  readonly #generations = new Map<string, string>()

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
    this.#generations.set('under-way.json', absent)
    try {
      await this.#writeUnderWay(record, 'begins the record, unless there is one')
    } catch (error) {
      if (!isFailure(error, 'release.taken_over')) throw error
      throw fail('release.under_way', undefined, { cause: error })
    }
  }

  /**
   * Makes a record that was read this run's own. A run that still works on it stops at its next write.
   * @throws release.taken_over when another run was faster
   */
  async takeOver(record: UnderWay): Promise<void> {
    await this.#writeUnderWay(record, 'takes the release over')
  }

  /** @throws release.taken_over when the record is no longer this run's */
  async update(record: UnderWay): Promise<void> {
    await this.#writeUnderWay(record, 'records how far it is')
  }

  /** @throws release.taken_over when it is not as this run has read it */
  async setCurrent(current: Current): Promise<void> {
    await this.#write('current.json', current, 'records what runs')
  }

  /**
   * Keeps the record of a release, whatever became of it, and lets the next one begin.
   * @throws release.taken_over when the record is no longer this run's
   */
  async end(record: UnderWay, outcome: string, at: string): Promise<void> {
    await this.update(record)
    await this.#copy(`${record.id}/outcome.json`, textOf({ ...record, outcome, at }), 'keeps the record')
    await unlessTakenOver(() =>
      this.#run({
        program: 'gcloud',
        args: ['storage', 'rm', `${this.#folder}/under-way.json`, this.#condition('under-way.json')],
        why: 'lets the next release begin',
      }),
    )
  }

  /** Where the synthesised stack of relays of a release is kept: a rollback applies it again. */
  relaysOf(id: string): string {
    return `${this.#folder}/${id}/relays/cdk.tf.json`
  }

  async #read<T>(name: string, schema: z.ZodType<T>, why: string): Promise<T | undefined> {
    const found = await this.#find(name)
    this.#generations.set(name, found?.generation ?? absent)
    if (!found) return undefined
    const args = ['storage', 'cat', `${this.#folder}/${name}#${found.generation}`]
    const command: Command = { program: 'gcloud', args, why: `reads ${why}` }
    const text = await unlessMissing(() => this.#run(command))
    // It has been written anew between the two commands.
    if (text === undefined) throw fail('release.taken_over', `${name} has just changed`)
    return parseAnswer(schema, text, command)
  }

  async #find(name: string): Promise<z.output<typeof objectSchema> | undefined> {
    const command: Command = {
      program: 'gcloud',
      args: [
        ...['storage', 'objects', 'describe', `${this.#folder}/${name}`],
        '--format=json(generation,md5_hash)',
      ],
      why: `which generation ${name} has`,
    }
    const text = await unlessMissing(() => this.#run(command))
    return text === undefined ? undefined : parseAnswer(objectSchema, text, command)
  }

  async #writeUnderWay(record: UnderWay, why: string): Promise<void> {
    await this.#write('under-way.json', { ...record, run: this.#runId }, why)
  }

  /** Only over what this run knows. gcloud does not say what it has written, so it is looked up, by its hash. */
  async #write(name: string, value: object, why: string): Promise<void> {
    const text = textOf(value)
    let refusal: unknown
    try {
      await unlessTakenOver(() => this.#copy(name, text, why, this.#condition(name)))
    } catch (error) {
      if (!isFailure(error, 'release.taken_over')) throw error
      // Also when gcloud tried again what had arrived the first time.
      refusal = error
    }
    const found = await this.#find(name)
    if (found?.md5_hash !== createHash('md5').update(text).digest('base64'))
      throw refusal ?? fail('release.taken_over', `${name} has changed since this run wrote it`)
    this.#generations.set(name, found.generation)
  }

  #condition(name: string): string {
    const known = this.#generations.get(name)
    if (known === undefined) throw new Error(`${name} is written before it was read`)
    return `--if-generation-match=${known}`
  }

  async #copy(name: string, input: string, why: string, ...flags: readonly string[]): Promise<void> {
    const args = ['storage', 'cp', '-', `${this.#folder}/${name}`, ...flags]
    await this.#run({ program: 'gcloud', args, input, why })
  }
}

function textOf(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

const lastWordsOf = (error: unknown) =>
  isFailure(error, 'release.command') ? String(error.fields.lastWords) : ''

/** @throws release.taken_over when Google says that the object has another generation */
async function unlessTakenOver(act: () => Promise<unknown>): Promise<void> {
  try {
    await act()
  } catch (error) {
    if (!lockTaken.test(lastWordsOf(error))) throw error
    throw fail('release.taken_over', undefined, { cause: error })
  }
}

/** @returns undefined when there is no such object */
async function unlessMissing(act: () => Promise<string>): Promise<string | undefined> {
  try {
    return await act()
  } catch (error) {
    if (!nothingThere.test(lastWordsOf(error))) throw error
    return undefined
  }
}
