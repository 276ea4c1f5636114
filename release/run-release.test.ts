/** Releases in a made-up project: forward, stopped, undone, cut off at every command. */
import { describe, expect, test } from 'vitest'
import { archivesBucket, vmsOf } from '../cdktf/names.ts'
import { readEnvironment } from '../cdktf/read-environment.ts'
import { commandLine } from './command.ts'
import { variablesOf } from './steps/stacks.ts'
import { Drill, firstCommit, Killed, secondCommit } from './testing/drill.ts'

const archivesOf = (drill: Drill, commit: string) => {
  const { functions, relays } = drill.world.archivesOf(commit)
  return { functions: [functions], relays: [relays] }
}
const first = (drill: Drill) => archivesOf(drill, firstCommit)
const second = (drill: Drill) => archivesOf(drill, secondCommit)
const vms = readEnvironment('prod').cells.flatMap(vmsOf)

describe('forward', () => {
  test('a release ends with all calls and all relays at the new version, and a record of both', async () => {
    const drill = new Drill().servesFirst()
    const before = drill.current
    expect(await drill.run()).toBe('released')
    expect(drill.serving).toEqual(second(drill))
    expect(drill.underWay).toBeUndefined()
    const { previous, ...current } = drill.current ?? {}
    expect(current).toMatchObject({
      commit: secondCommit,
      archives: drill.world.archivesOf(secondCommit),
      web: drill.world.web,
    })
    expect(previous).toEqual(before)
  })

  test('what functions and console consist of is published by commit, where strangers may read it', async () => {
    const drill = new Drill().servesFirst()
    await drill.run()
    const { environment, objects } = drill.world
    for (const part of ['functions', 'console'])
      expect(objects.has(`gs://${archivesBucket(environment)}/bills/${secondCommit}/${part}.cdx.json`)).toBe(
        true,
      )
  })

  test('the first release of an environment has nothing to compare with, and is watched all the same', async () => {
    const drill = new Drill()
    expect(await drill.run()).toBe('released')
    expect(drill.serving).toEqual(second(drill))
    expect(drill.current?.previous).toBeUndefined()
  })

  test('a commit that changes neither archive moves no calls', async () => {
    const drill = new Drill().servesFirst()
    drill.world.commit = firstCommit
    expect(await drill.run()).toBe('released')
    const moved = drill.lines.filter((line) => line.includes('update-traffic'))
    expect(moved.filter((line) => !line.includes('=100'))).toEqual([])
  })

  test('a small part goes first: 5 % of the calls, and one VM of each cell', async () => {
    const drill = new Drill().servesFirst()
    await drill.run()
    const at = (part: string) => drill.lines.findIndex((line) => line.includes(part))
    const [canary, other] = vms
    expect(at('=5,')).toBeGreaterThan(at('terraform -chdir=cdktf/cdktf.out/stacks/observability apply'))
    expect(at(`update-instances ${canary?.name}`)).toBeGreaterThan(at('=5,'))
    expect(at('monitoring.googleapis.com')).toBeGreaterThan(at(`update-instances ${canary?.name}`))
    expect(at(`update-instances ${other?.name}`)).toBeGreaterThan(at('monitoring.googleapis.com'))
    expect(
      drill.lines.filter((line) => line.includes('--to-revisions=') && line.includes('=5,')),
    ).toHaveLength(5)
  })

  test('before anything is applied, calls are held at the revisions that have them', async () => {
    const drill = new Drill().servesFirst()
    await drill.run()
    const held = drill.lines.findIndex(
      (line) => line.includes('update-traffic api') && line.includes('api-00001-abc=100'),
    )
    expect(held).toBeGreaterThan(-1)
    expect(held).toBeLessThan(drill.lines.findIndex((line) => line.includes(' apply ')))
  })

  test('VMs go one after the other: each is looked at before the next is replaced', async () => {
    const drill = new Drill().servesFirst()
    await drill.run()
    const about = drill.lines.flatMap(
      (line) => /(update-instances|wait-until|get-guest-attributes|get-health)/.exec(line)?.[1] ?? [],
    )
    expect(about).toEqual(
      vms.flatMap(() => ['update-instances', 'wait-until', 'get-guest-attributes', 'get-health']),
    )
  })

  test('Terraform gets every secret that the stack declares; one that is set here already is not read', async () => {
    const given = Object.keys(variablesOf('control')).at(-1) ?? ''
    const drill = new Drill().servesFirst()
    // The stand-in has no environment, so it misses what it is not given: as the real one would without that variable.
    await expect(drill.run('release', { given: [given] })).rejects.toMatchObject({
      detail: expect.stringContaining(`No value for required variable: ${given}\n`) as string,
    })
    const read = drill.lines.filter((line) => line.includes('secrets versions access'))
    expect(read.map((line) => /--secret=(\S+)/.exec(line)?.[1])).toEqual(
      Object.values(variablesOf('control')).slice(0, -1),
    )
  })

  test('each command that prints secrets says so, and no failure quotes it', async () => {
    const drill = new Drill().servesFirst()
    await drill.run()
    await drill.run('rollback')
    const secret = drill.commands.filter((one) =>
      /secrets versions access|print-access-token|show -json/.test(commandLine(one)),
    )
    expect(new Set(secret.map(({ program }) => program))).toEqual(new Set(['gcloud', 'terraform']))
    expect(secret.filter(({ printsSecrets }) => !printsSecrets).map(commandLine)).toEqual([])
  })

  test('pages may call the relays of each cell at any port', async () => {
    const drill = new Drill().servesFirst()
    await drill.run()
    const { args = [] } = drill.commands.find((one) => one.args.includes('functions/hosting.ts')) ?? {}
    for (const { host } of readEnvironment('prod').cells) expect(args).toContain(`https://*.${host}:*`)
  })

  test('no command line has a secret in it', async () => {
    const drill = new Drill().servesFirst()
    await drill.run()
    for (const { secrets = {}, args } of drill.commands)
      for (const value of [...Object.values(secrets), 'Bearer']) expect(args.join(' ')).not.toContain(value)
    expect(drill.commands.filter(({ secrets }) => secrets?.TF_VAR_cloudflare_token)).toHaveLength(2)
  })
})

describe('refused', () => {
  test.each([
    ['changes that are not committed', { changed: ['cli/main.ts'] }, 'release.checkout', 'cli/main.ts'],
    ['a commit beside main', { isOffMain: true }, 'release.checkout', 'not on main'],
    ['a commit that CI refused', { ci: 'failure' }, 'release.checkout', 'https://github.com/runs/1'],
    ['a commit that CI has not seen', { ci: 'none' }, 'release.checkout', 'it has not run'],
    [
      'a plan that deletes data',
      { destroys: 'google_pubsub_topic' },
      'release.destroys',
      'google_pubsub_topic.x (deleted)',
    ],
    [
      'an archive that cannot be built',
      { fails: 'archive -w functions' },
      'release.command',
      'as the drill wants it',
    ],
  ] as const)('%s: nothing is changed, and the next release may begin', async (_, faults, key, says) => {
    const drill = new Drill({ ...faults }).servesFirst()
    await expect(drill.run()).rejects.toMatchObject({ key, detail: expect.stringContaining(says) as string })
    expect(drill.serving).toEqual(first(drill))
    expect(drill.underWay).toBeUndefined()
    expect(drill.lines.filter((line) => line.includes(' apply '))).toEqual([])
  })

  test('what a step of its own writes into the checkout does not stop it', async () => {
    const drill = new Drill({ changed: ['firebase.json'] }).servesFirst()
    expect(await drill.run()).toBe('released')
  })

  test('what is meant to be deleted is, when it is said', async () => {
    const drill = new Drill({ destroys: 'google_pubsub_topic' }).servesFirst()
    expect(await drill.run('release', { allowDestroy: true })).toBe('released')
  })

  test('a second release while one is under way', async () => {
    const drill = new Drill().servesFirst()
    drill.killAfter = 60
    await expect(drill.run()).rejects.toThrow(Killed)
    await expect(drill.run()).rejects.toMatchObject({ key: 'release.under_way' })
  })

  test('two releases that begin in the same moment: the bucket lets one in', async () => {
    const drill = new Drill().servesFirst()
    const results = await Promise.allSettled([drill.run(), drill.run()])
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    expect(results.find((one) => one.status === 'rejected')).toMatchObject({
      reason: { key: 'release.under_way' },
    })
  })
})

describe('taken over by another run', () => {
  const takenOver = { key: 'release.taken_over' }
  const changes = /update-traffic|POST| apply |deploy|update-instances|storage (cp|rm)/

  /** While a first run is at this command, a second one does all of its work. */
  async function during(before: string, order: 'resume' | 'rollback' | 'abandon') {
    const drill = new Drill().servesFirst()
    let outcome: string | undefined
    drill.meanwhile = {
      before,
      act: async () => {
        outcome = await drill.run(order)
        drill.commands.length = 0
      },
    }
    const error: unknown = await drill.run().then(
      () => 'it went on',
      (reason: unknown) => reason,
    )
    return { drill, outcome, error, after: drill.lines.filter((line) => changes.test(line)) }
  }

  test.each(['rollback', 'resume', 'abandon'] as const)(
    '%s while it watches: the first run stops at its next write, and changes nothing more',
    async (order) => {
      const { drill, outcome, error, after } = await during('monitoring.googleapis.com', order)
      expect(error).toMatchObject(takenOver)
      // The write that was refused.
      expect(after).toEqual([expect.stringMatching(/storage cp - \S+under-way.json/)])
      expect(outcome).toBe({ rollback: 'rolled back', resume: 'released', abandon: 'abandoned' }[order])
      if (order === 'rollback') expect(drill.serving).toEqual(first(drill))
      expect(drill.underWay).toBeUndefined()
    },
  )

  test('rollback while it applies: the stacks that are left stay as the rollback made them', async () => {
    const { error, after } = await during('stacks/control apply', 'rollback')
    expect(error).toMatchObject(takenOver)
    expect(after.filter((line) => line.includes(' apply '))).toEqual([])
  })

  test('one that finds the new version worse after that does not go back too', async () => {
    const drill = new Drill().servesFirst()
    drill.meanwhile = {
      before: 'release/smoke.ts',
      act: async () => {
        await drill.run('rollback')
        drill.world.faults.lostTunnels = 2
      },
    }
    await expect(drill.run()).rejects.toMatchObject(takenOver)
    expect(drill.serving).toEqual(first(drill))
  })

  test('at its very end: what is recorded as running is what runs', async () => {
    const { drill, error } = await during('releases/current.json --if-generation-match', 'rollback')
    expect(error).toMatchObject(takenOver)
    expect(drill.serving).toEqual(first(drill))
    expect(drill.current?.commit).toBe(firstCommit)
  })

  test.each(['resume', 'rollback'] as const)('two that %s in the same moment: one goes on', async (order) => {
    const drill = new Drill().servesFirst()
    drill.killAfter = 90
    await expect(drill.run()).rejects.toThrow(Killed)
    drill.commands.length = 0
    const results = await Promise.allSettled([drill.run(order), drill.run(order)])
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    expect(results.find((one) => one.status === 'rejected')).toMatchObject({ reason: takenOver })
    // The other one has not even begun.
    expect(drill.lines.filter((line) => line === 'npm ci')).toHaveLength({ resume: 1, rollback: 0 }[order])
    expect(drill.underWay).toBeUndefined()
  })

  test('a write that gcloud tried again after it had arrived is not taken for that of another run', async () => {
    const drill = new Drill().servesFirst()
    drill.repeats = /storage cp - .*--if-generation-match/
    expect(await drill.run()).toBe('released')
  })
})

describe('it goes back by itself', () => {
  const { functions, relays } = new Drill().world.archivesOf(secondCommit)
  test.each([
    [
      'calls fail',
      { failingFunctions: { archive: functions, permille: 20 } },
      'release.watch',
      '20 of 1000 calls failed',
    ],
    ['calls take long', { slowFunctions: { archive: functions, ms: 900 } }, 'release.watch', '900 ms'],
    ['a relay does not start', { deadRelay: relays }, 'release.relay', 'says starting after 10 min'],
    ['tunnels do not work', { brokenRelay: relays }, 'release.smoke', 'status 502'],
  ] as const)('%s', async (_, faults, key, says) => {
    const drill = new Drill(faults).servesFirst()
    const before = drill.current
    await expect(drill.run()).rejects.toMatchObject({ key, detail: expect.stringContaining(says) as string })
    expect(drill.serving).toEqual(first(drill))
    expect(drill.current).toEqual(before)
    expect(drill.underWay).toBeUndefined()
    // Only the VM that had tried it is replaced again.
    expect(drill.lines.filter((line) => line.includes('update-instances'))).toHaveLength(2)
  })

  test('a few failures among many calls stop nothing', async () => {
    const drill = new Drill({ failingFunctions: { archive: functions, permille: 10 } }).servesFirst()
    expect(await drill.run()).toBe('released')
  })

  test('a tunnel that fails once stops nothing, one that fails twice does', async () => {
    const drill = new Drill({ lostTunnels: 1 }).servesFirst()
    expect(await drill.run()).toBe('released')
    const worse = new Drill({ lostTunnels: 2 }).servesFirst()
    await expect(worse.run()).rejects.toMatchObject({ key: 'release.smoke' })
    expect(worse.serving).toEqual(first(worse))
  })

  test('where there is nothing to go back to, it stops and says so', async () => {
    const drill = new Drill({ brokenRelay: relays })
    await expect(drill.run()).rejects.toMatchObject({ detail: expect.stringContaining('PT-5326') as string })
    expect(drill.underWay?.direction).toBe('back')
    expect(await drill.run('abandon')).toBe('abandoned')
    expect(drill.underWay).toBeUndefined()
  })

  test('a failure on the way stops without going back: the version is not at fault', async () => {
    const drill = new Drill({ fails: 'firebase deploy' }).servesFirst()
    await expect(drill.run()).rejects.toMatchObject({ key: 'release.command' })
    expect(drill.underWay?.direction).toBe('forward')
    delete drill.world.faults.fails
    expect(await drill.run('resume')).toBe('released')
  })
})

describe('asked to go back', () => {
  test('a finished release is undone: calls, relays, console', async () => {
    const drill = new Drill().servesFirst()
    const [before, web] = [drill.current, drill.world.web]
    await drill.run()
    expect(await drill.run('rollback')).toBe('rolled back')
    expect(drill.serving).toEqual(first(drill))
    expect(drill.world.web).toBe(web)
    expect(drill.current).toEqual(before)
  })

  test('calls go back first: they take seconds, and VMs minutes', async () => {
    const drill = new Drill().servesFirst()
    await drill.run()
    drill.commands.length = 0
    await drill.run('rollback')
    const changes = drill.lines.filter((line) =>
      /update-traffic|POST|terraform.* apply|update-instances/.test(line),
    )
    expect(changes.map((line) => /update-traffic|POST|terraform|update-instances/.exec(line)?.[0])).toEqual([
      ...Array.from({ length: 5 }, () => 'update-traffic'),
      'POST',
      'terraform',
      ...vms.map(() => 'update-instances'),
    ])
  })

  test('the relays get back the whole stack of then, not only its archive', async () => {
    const drill = new Drill().servesFirst()
    const id = drill.current?.id
    await drill.run()
    await drill.run('rollback')
    expect(drill.lines).toContain(
      `terraform -chdir=cdktf/cdktf.out/rollback/${id} apply -input=false -no-color -auto-approve`,
    )
  })

  test('without an earlier release it says so, and changes nothing', async () => {
    const drill = new Drill().servesFirst()
    await expect(drill.run('rollback')).rejects.toMatchObject({ key: 'release.nothing_before' })
    expect(drill.underWay).toBeUndefined()
  })
})

describe('after a restore into another database', () => {
  const restored = 'restored-20260131'

  test.each(['finished', 'under way', 'on its way back'])(
    'a release that is %s is not undone',
    async (how) => {
      const drill = new Drill().servesFirst()
      if (how === 'finished') await drill.run()
      else {
        drill.world.faults.fails =
          how === 'under way' ? 'instance-groups managed wait-until' : 'release/smoke.ts'
        await expect(drill.run()).rejects.toMatchObject({ code: expect.stringMatching(/^PT-53/) })
        delete drill.world.faults.fails
      }
      drill.world.restoreInto(restored)
      const [serving, underWay, traffic] = [drill.serving, drill.underWay, trafficOf(drill)]
      drill.commands.length = 0
      const order = how === 'on its way back' ? 'resume' : 'rollback'
      await expect(drill.run(order)).rejects.toMatchObject({
        key: 'release.database',
        detail: expect.stringMatching(/database restored-20260131, and api-00001-abc works on \(default\)/),
      })
      expect(
        drill.lines.filter((line) => /update-traffic|apply|update-instances|storage cp/.test(line)),
      ).toEqual([])
      expect([drill.serving, drill.underWay, trafficOf(drill)]).toEqual([serving, underWay, traffic])
    },
  )

  test('one that does worse is not undone by itself either, and says so', async () => {
    const drill = new Drill().servesFirst()
    drill.world.faults.brokenRelay = drill.world.archivesOf(drill.world.commit).relays
    drill.meanwhile = { before: 'release/smoke.ts', act: async () => drill.world.restoreInto(restored) }
    await expect(drill.run()).rejects.toMatchObject({
      key: 'release.smoke',
      detail: expect.stringMatching(/Rolling it back failed: PT-5332/),
    })
    expect(new Set(trafficOf(drill))).toEqual(new Set([restored]))
  })

  test('a commit that still names the old database is not released; one that names the new is', async () => {
    const drill = new Drill().servesFirst()
    drill.world.restoreInto(restored)
    await expect(drill.run()).rejects.toMatchObject({
      key: 'release.database',
      detail: expect.stringMatching(/Nothing was changed/),
    })
    expect(drill.underWay).toBeUndefined()
    const { environment } = drill.world
    Object.assign(environment, { database: restored, databases: ['(default)', restored] })
    expect(await drill.run()).toBe('released')
    expect(await drill.run('rollback'), 'and undone').toBe('rolled back')
  })
})

/** The databases that calls are answered from. */
function trafficOf({ world }: Drill): readonly string[] {
  return [...world.services.values()].flatMap(({ revisions, traffic }) =>
    revisions.filter(({ name }) => (traffic[name] ?? 0) > 0).map(({ database }) => database),
  )
}

describe('cut off', () => {
  // Cut off after a command is cut off before the next one.
  /** How many commands a whole run has. */
  async function lengthOf(
    prepare: () => Promise<Drill>,
    go: (drill: Drill) => Promise<unknown>,
  ): Promise<number> {
    const drill = await prepare()
    drill.commands.length = 0
    await go(drill)
    return drill.commands.length
  }

  async function cutEverywhere(
    prepare: () => Promise<Drill>,
    go: (drill: Drill) => Promise<unknown>,
    check: (drill: Drill, place: string) => Promise<void>,
  ): Promise<void> {
    const length = await lengthOf(prepare, go)
    expect(length).toBeGreaterThan(15)
    for (let command = 0; command < length; command++) {
      const drill = await prepare()
      drill.killAfter = command
      const cut = await go(drill).then(
        () => 'not cut off',
        (error: unknown) => error,
      )
      expect(cut).toBeInstanceOf(Killed)
      await check(drill, `before ${(cut as Killed).message}`)
    }
  }

  const prepared = async () => new Drill().servesFirst()

  test('at any command of a release: --resume finishes it', async () => {
    await cutEverywhere(
      prepared,
      (drill) => drill.run(),
      async (drill, place) => {
        const outcome = drill.underWay
          ? await drill.run('resume')
          : drill.current?.commit === secondCommit
            ? 'released'
            : await drill.run()
        expect(outcome, place).toBe('released')
        expect(drill.serving, place).toEqual(second(drill))
        expect(drill.current, place).toMatchObject({
          commit: secondCommit,
          previous: { commit: firstCommit },
        })
        expect(drill.underWay, place).toBeUndefined()
      },
    )
  })

  test('at any command of a release: --rollback brings back what was there before', async () => {
    await cutEverywhere(
      prepared,
      (drill) => drill.run(),
      async (drill, place) => {
        if (!drill.underWay) return
        expect(await drill.run('rollback'), place).toBe('rolled back')
        expect(drill.serving, place).toEqual(first(drill))
        expect(drill.current?.commit, place).toBe(firstCommit)
      },
    )
  })

  test('at any command of a rollback: --resume finishes it', async () => {
    const released = async () => {
      const drill = await prepared()
      await drill.run()
      return drill
    }
    await cutEverywhere(
      released,
      (drill) => drill.run('rollback'),
      async (drill, place) => {
        if (drill.underWay) expect(await drill.run('resume'), place).toBe('rolled back')
        else if (drill.current?.commit === secondCommit) await drill.run('rollback')
        expect(drill.serving, place).toEqual(first(drill))
        expect(drill.current?.commit, place).toBe(firstCommit)
        expect(drill.underWay, place).toBeUndefined()
      },
    )
  })

  test.each([12, 60])(
    'a release goes on only with its own commit, and waits for that (%i)',
    async (command) => {
      const drill = await prepared()
      drill.killAfter = command
      await expect(drill.run()).rejects.toThrow(Killed)
      const known = drill.underWay
      drill.world.commit = firstCommit
      await expect(drill.run('resume')).rejects.toMatchObject({ key: 'release.differs' })
      expect(drill.underWay).toEqual(known)
    },
  )
})
