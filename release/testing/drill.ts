/** Runs releases in a made-up project, and cuts them off where a test wants it. */
import type { Environment } from '../../cdktf/environment.ts'
import { readEnvironment } from '../../cdktf/read-environment.ts'
import { type Command, commandLine, type Run } from '../command.ts'
import { JumpingClock } from '../offline/jumping-clock.ts'
import { standIns } from '../offline/programs.ts'
import { type Faults, hash, World } from '../offline/world.ts'
import type { Current, UnderWay } from '../record.ts'
import { type Order, type Outcome, runRelease } from '../run-release.ts'

export const firstCommit = hash('commit', '1').slice(0, 40)
export const secondCommit = hash('commit', '2').slice(0, 40)

/** As if the process was killed: no code of the release runs after it. */
export class Killed extends Error {}

export class Drill {
  readonly world: World
  readonly commands: Command[] = []
  readonly said: string[] = []
  readonly clock = new JumpingClock(Date.UTC(2026, 10, 29))
  #isDead = false
  /** Before the next command with this in its line, something else happens. */
  meanwhile: { readonly before: string; readonly act: () => Promise<unknown> } | undefined
  /** Commands that gcloud runs twice, as when an answer was lost: the second time counts. */
  repeats: RegExp | undefined
  /** After so many more commands the process is killed. What the last of them did has happened. */
  killAfter: number | undefined

  constructor(faults: Faults = {}, environment: Environment = readEnvironment('prod')) {
    this.world = new World(environment, faults)
  }

  /** The release before, which serves. */
  servesFirst(): this {
    this.world.released(firstCommit, '2026-11-01T00:00:00.000Z')
    this.world.commit = secondCommit
    return this
  }

  run(
    order: Order = 'release',
    { allowDestroy = false, given = [] as readonly string[] } = {},
  ): Promise<Outcome> {
    this.#isDead = false
    return runRelease(order, {
      environment: this.world.environment,
      wishes: { allowDestroy, watchMinutes: 2, given },
      run: this.#run,
      clock: this.clock,
      signal: new AbortController().signal,
      makeFolder: () => undefined,
      reporter: {
        step: ({ name }) => this.said.push(name),
        command: (command) => this.commands.push(command),
        say: (text) => this.said.push(text),
      },
    })
  }

  get lines(): readonly string[] {
    return this.commands.map(commandLine)
  }

  get current(): Current | undefined {
    return this.#record('current.json')
  }

  get underWay(): UnderWay | undefined {
    return this.#record('under-way.json')
  }

  /** What serves: the archive of each VM, and of each function with its share of the calls. */
  get serving(): { readonly relays: readonly string[]; readonly functions: readonly string[] } {
    const functions = [...this.world.services.values()].flatMap(({ revisions, traffic }) =>
      Object.keys(traffic).map((name) => revisions.find((one) => one.name === name)?.functions ?? ''),
    )
    return { relays: [...new Set(this.world.vms.values())], functions: [...new Set(functions)] }
  }

  readonly #answers: Run = (command) => standIns(this.world)(command)
  readonly #run: Run = async (command) => {
    if (this.#isDead) throw new Killed()
    if (this.killAfter === 0) {
      this.killAfter = undefined
      this.#isDead = true
      throw new Killed(commandLine(command))
    }
    if (this.killAfter !== undefined) this.killAfter -= 1
    const { meanwhile } = this
    if (meanwhile && commandLine(command).includes(meanwhile.before)) {
      this.meanwhile = undefined
      await meanwhile.act()
    }
    if (this.repeats?.test(commandLine(command))) await this.#answers(command)
    return await this.#answers(command)
  }

  #record<T>(name: string): T | undefined {
    const text = this.world.objects.get(this.world.recordOf(name))
    return text === undefined ? undefined : (JSON.parse(text) as T)
  }
}
