/**
 * Runs a release from its first step to its last, and keeps the record of it: begins, goes on after a crash, stops, and
 * goes back by itself when the new version does worse.
 */
import type { Clock } from '@porttunneler/shared/base/clock'
import { type ErrorKey, fail, isFailure, type PortTunnelerError } from '@porttunneler/shared/base/errors'
import type { Environment } from '../cdktf/environment.ts'
import { vmsOf } from '../cdktf/names.ts'
import type { Command, Run } from './command.ts'
import { requireSameDatabase } from './database.ts'
import { type Current, Records, type Running, type UnderWay } from './record.ts'
import type { Release, Step, Wishes } from './release.ts'
import { rollBackSteps } from './roll-back.ts'
import { steps } from './steps/all.ts'
import { checkout, commitOf } from './steps/checkout.ts'

/** What is asked for: `resume` goes on, also back; `abandon` gives the record up and changes nothing else. */
export type Order = 'release' | 'resume' | 'rollback' | 'abandon'
export type Outcome = 'released' | 'rolled back' | 'abandoned'

/** Who reads along. */
export type Reporter = {
  step(step: Pick<Step, 'name' | 'title'>, place: { readonly index: number; readonly of: number }): void
  command(command: Command): void
  say(text: string): void
}

export type Setting = {
  readonly environment: Environment
  readonly wishes: Wishes
  readonly run: Run
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly reporter: Reporter
  makeFolder(path: string): void
}

/** The new version is at fault, not the way there. */
const verdicts: readonly ErrorKey[] = ['release.watch', 'release.smoke', 'release.relay']
const firstChange = 'hold'
const reasonCharsMax = 4_000

/**
 * @throws release.* with what was done about it in the detail
 */
export async function runRelease(order: Order, setting: Setting): Promise<Outcome> {
  const keeper = new Keeper(setting)
  const known = await keeper.records.underWay()
  if (order === 'rollback') {
    const from = known ?? (await undoingOf(keeper))
    await keeper.requireSameDatabase(from)
    await (known ? keeper.records.takeOver(known) : keeper.records.begin(from))
    return await goBack(keeper, from)
  }
  if (order === 'release') {
    if (known)
      throw fail('release.under_way', `${known.id} of commit ${known.commit} was begun at ${known.startedAt}`)
    return await goForward(keeper, await begin(keeper), false)
  }
  if (!known) throw fail('release.usage', `No release of ${setting.environment.name} is under way`)
  if (order === 'abandon') {
    await keeper.records.end(known, 'abandoned', keeper.time())
    return 'abandoned'
  }
  if (known.direction === 'forward') await requireCommit(keeper, known)
  else await keeper.requireSameDatabase(known)
  await keeper.records.takeOver(known)
  return known.direction === 'back' ? await goBack(keeper, known) : await goForward(keeper, known, true)
}

/** Before a release is taken over: from another checkout it could not go on, and whoever runs it would be stopped. */
async function requireCommit(keeper: Keeper, { commit }: UnderWay): Promise<void> {
  const here = await commitOf(keeper.run)
  if (here !== commit)
    throw fail('release.differs', `This is commit ${here}, and the release is of ${commit}`)
}

/** The state of one release, in memory and as stored. */
class Keeper {
  readonly setting: Setting
  readonly records: Records
  readonly #run: Run
  #state: UnderWay | undefined

  constructor(setting: Setting) {
    this.setting = setting
    const { run, reporter, environment } = setting
    this.#run = (command) => {
      reporter.command(command)
      return run(command)
    }
    this.records = new Records(this.#run, environment)
  }

  time(): string {
    return new Date(this.setting.clock.now()).toISOString()
  }

  get run(): Run {
    return this.#run
  }

  /** @throws release.database when the release cannot be undone, because the database is another one since */
  async requireSameDatabase({ before }: UnderWay): Promise<void> {
    const { environment } = this.setting
    await requireSameDatabase({ environment, run: this.#run }, before?.revisions ?? {})
  }

  /** @param isStored whether changes go to the bucket */
  release(state: UnderWay, isStored = true): Release {
    this.#state = state
    const { environment, wishes, clock, signal, reporter } = this.setting
    const read = () => this.#state ?? state
    return {
      environment,
      wishes,
      run: this.#run,
      clock,
      signal,
      records: this.records,
      makeFolder: (path) => this.setting.makeFolder(path),
      say: (text) => reporter.say(text),
      get state() {
        return read()
      },
      note: async (change) => {
        this.#state = { ...read(), ...change }
        if (isStored) await this.records.update(this.#state)
      },
    }
  }
}

async function begin(keeper: Keeper): Promise<UnderWay> {
  const commit = await commitOf(keeper.run)
  const startedAt = keeper.time()
  const state: UnderWay = {
    id: `${startedAt.replace(/\.\d+|[-:]/g, '')}-${commit.slice(0, 7)}`,
    commit,
    startedAt,
    direction: 'forward',
    done: [],
    replaced: [],
    revisions: {},
  }
  // Before the record, so that a checkout that may not be released leaves none.
  await runStep(keeper, keeper.release(state, false), checkout, { index: 1, of: steps.length })
  const begun = { ...state, done: [checkout.name] }
  await keeper.records.begin(begun)
  return begun
}

async function runStep(
  keeper: Keeper,
  release: Release,
  step: Step,
  place: { readonly index: number; readonly of: number },
): Promise<void> {
  release.signal.throwIfAborted()
  keeper.setting.reporter.step(step, place)
  await step.run(release)
}

/** @param isContinued steps that are done may have left files on another machine */
async function runSteps(
  keeper: Keeper,
  release: Release,
  { list, isContinued }: { readonly list: readonly Step[]; readonly isContinued: boolean },
): Promise<void> {
  const { done } = release.state
  for (const [index, step] of list.entries()) {
    const isDone = release.state.done.includes(step.name)
    const isNeeded = isContinued && step.neededUntil !== undefined && !done.includes(step.neededUntil)
    if (isDone && !isNeeded) continue
    await runStep(keeper, release, step, { index: index + 1, of: list.length })
    if (!isDone) await release.note({ done: [...release.state.done, step.name] })
  }
}

async function goForward(keeper: Keeper, from: UnderWay, isContinued: boolean): Promise<Outcome> {
  const release = keeper.release(from)
  try {
    await runSteps(keeper, release, { list: steps, isContinued })
  } catch (error) {
    if (!isFailure(error) || release.signal.aborted) throw error
    throw await stop(keeper, release, error)
  }
  const { state } = release
  const earlier = await keeper.records.current()
  if (earlier?.id !== state.id) await keeper.records.setCurrent(currentOf(state, keeper.time(), earlier))
  await keeper.records.end(state, 'released', keeper.time())
  return 'released'
}

function currentOf(state: UnderWay, at: string, earlier: Current | undefined): Current {
  const { id, commit, archives, revisions, web } = state
  if (!archives) throw new Error('A release without archives came to its end')
  const { previous: _, ...recorded } = earlier ?? { previous: undefined }
  // What had the calls in fact: a restore into another database makes new revisions of the same release.
  const previous = { ...recorded, revisions: state.before?.revisions ?? earlier?.revisions }
  return {
    id,
    commit,
    at,
    archives,
    revisions,
    ...(web !== undefined && { web }),
    ...(earlier && { previous: previous as Running }),
  }
}

/** @returns the failure, with what was done about it */
async function stop(
  keeper: Keeper,
  release: Release,
  failure: PortTunnelerError,
): Promise<PortTunnelerError> {
  const { state } = release
  const and = (text: string) =>
    fail(failure.key, `${failure.detail}\n${text}`, { fields: failure.fields, cause: failure })
  // Somebody else's release may go on from the right checkout, or is gone on with by another run.
  if (othersGoOn(failure)) return failure
  if (!hasChanged(state)) {
    await keeper.records.end(state, `stopped: ${failure.message.slice(0, reasonCharsMax)}`, keeper.time())
    return and('Nothing was changed.')
  }
  if (!verdicts.includes(failure.key))
    return and('The release is not finished: continue with --resume, or undo it with --rollback.')
  keeper.setting.reporter.say(`${failure.message}\nIt is rolled back.`)
  try {
    await keeper.requireSameDatabase(state)
    await goBack(keeper, { ...state, reason: failure.message.slice(0, reasonCharsMax) })
  } catch (error) {
    if (!isFailure(error) || othersGoOn(error)) throw error
    return and(`Rolling it back failed: ${error.message}\nContinue with --resume.`)
  }
  return and('It was rolled back.')
}

function othersGoOn({ key }: PortTunnelerError): boolean {
  return key === 'release.differs' || key === 'release.taken_over'
}

/** Steps before this one only read, and write archives that nothing uses. */
function hasChanged({ done }: UnderWay): boolean {
  const before = steps.slice(
    0,
    steps.findIndex(({ name }) => name === firstChange),
  )
  return before.every(({ name }) => done.includes(name))
}

/** A release that is finished, as one that is to be undone. */
async function undoingOf(keeper: Keeper): Promise<UnderWay> {
  const current = await keeper.records.current()
  if (!current?.previous) throw fail('release.nothing_before')
  const { id, commit, archives, revisions, web, previous } = current
  return {
    id,
    commit,
    startedAt: keeper.time(),
    direction: 'back',
    reason: 'asked for',
    done: steps.map(({ name }) => name),
    archives,
    before: { revisions: previous.revisions, ...(previous.web !== undefined && { web: previous.web }) },
    replaced: keeper.setting.environment.cells.flatMap(vmsOf).map(({ name }) => name),
    revisions,
    ...(web !== undefined && { web }),
  }
}

async function goBack(keeper: Keeper, from: UnderWay): Promise<Outcome> {
  const current = await keeper.records.current()
  const target = current?.id === from.id ? current.previous : current
  const release = keeper.release(from)
  if (!hasChanged(from)) {
    await keeper.records.end(from, 'rolled back: nothing had changed', keeper.time())
    return 'rolled back'
  }
  if (from.direction === 'forward')
    await release.note({ direction: 'back', reason: from.reason ?? 'asked for' })
  await runSteps(keeper, release, { list: rollBackSteps(target), isContinued: true })
  // Read and written anew in any case: a run that was taken over at its very end may just record its own release.
  await keeper.records.current()
  if (target) await keeper.records.setCurrent(target)
  await keeper.records.end(release.state, `rolled back: ${release.state.reason}`, keeper.time())
  return 'rolled back'
}
