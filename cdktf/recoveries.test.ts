/** Every command after a loss is one that the real program takes, up to the point where it wants an account. */
import { afterAll, expect, test } from 'vitest'
import { runDeadLetters } from '../functions/dead-letters.ts'
import { readSettings } from '../functions/settings.ts'
import { buildProgram } from '../ptunctl/program.ts'
import { sha256Of } from '../relay-vm/deploy/release-list.ts'
import { gcloudFolder, gcloudSays } from '../release/testing/gcloud.ts'
import { services } from '../release/traffic.ts'
import { systemClock } from '../shared/base/clock.ts'
import { environmentSchema } from './environment.ts'
import { functionVariables } from './function-variables.ts'
import { archivesBucket, kmsKeyPath, relaysFolder, stateBucket } from './names.ts'
import { Workbench } from './offline/workbench.ts'
import { environments, readEnvironment } from './read-environment.ts'
import { recoveryNames, recoveryOf } from './recoveries.ts'
import { secrets } from './secrets.ts'
import { stacksOf } from './testing/policy.ts'
import { Shell } from './testing/shell.ts'

const environment = readEnvironment('prod')
const commands = [
  ...new Set(recoveryNames.flatMap((name) => recoveryOf(name, environment).flatMap((step) => step.commands))),
]
const ptunctl = 'node ptunctl/ptunctl.js '
const sdk = gcloudFolder()
const shell = new Shell()
afterAll(() => shell[Symbol.dispose]())

test.skipIf(sdk === undefined)('gcloud takes every command, and then misses only an account', async () => {
  const all = commands.flatMap((line) => /^(?:export \w+="\$\()?(gcloud .*?)(?:\)")?$/.exec(line)?.[1] ?? [])
  // One is enough where lines differ by a name alone.
  const kinds = new Map(all.map((line) => [line.replace(/(update-traffic |--secret=)\S+/, '$1'), line]))
  const lines = [...kinds.values()]
  expect(lines.length).toBeGreaterThan(12)
  const said = gcloudSays(await shell.wordsOf(lines), sdk ?? '')
  for (const [index, text] of said.entries()) {
    expect(text, lines[index]).toContain('active account')
    expect(text, lines[index]).toMatch(/SystemExit$/)
  }
})

test('a shell reads every line', async () => {
  const { code, text } = await shell.run(`set -n\n${commands.join('\n')}`)
  expect({ code, text }).toEqual({ code: 0, text: '' })
})

test('ptunctl takes its own', async () => {
  const lines = commands.filter((line) => line.startsWith(ptunctl))
  expect(lines.length).toBeGreaterThan(8)
  for (const line of lines) {
    const words = [...line.matchAll(/'([^']*)'|\S+/g)].map(([word, quoted]) => quoted ?? word).slice(2)
    let runs = 0
    const program = buildProgram(async () => void runs++, { writeOut() {}, writeErr() {} })
    await program.parseAsync(words, { from: 'user' })
    expect({ line, runs }).toEqual({ line, runs: 1 })
  }
})

test('the tool for dead letters has the commands that are asked of it', async () => {
  const lines = commands.flatMap(
    (line) => /^npm run dead-letters -w functions -- (.*)$/.exec(line)?.[1] ?? [],
  )
  expect(lines).toHaveLength(2)
  // Without a project it gets no further than its arguments; wrong ones are refused before.
  for (const line of lines)
    await expect(
      runDeadLetters(line.split(' '), { env: {}, clock: systemClock, write: () => {} }),
      line,
    ).rejects.toMatchObject({ key: 'cloud.environment' })
})

test('every line for ptunctl comes after one that gives it all its settings', async () => {
  const named = { ...environment, database: 'restored-of-last-year' }
  let lines = 0
  for (const name of recoveryNames) {
    let variables: string | undefined
    for (const command of recoveryOf(name, named).flatMap((step) => step.commands)) {
      if (command.startsWith('export GOOGLE_CLOUD_PROJECT=')) variables = command
      if (!command.startsWith(ptunctl)) continue
      lines++
      const { text } = await shell.run(`${variables} && env`)
      const given = Object.fromEntries(text.split('\n').map((line) => line.split(/=(.*)/)))
      // ptunctl gives itself the key of the console (functions/office.ts).
      const settings = readSettings({ FIREBASE_API_KEY: 'none', ...given })
      expect(settings).toMatchObject({ kmsKey: kmsKeyPath(environment), hasMail: true })
      const restores = name === 'database' || name === 'backup'
      expect(settings.database).toBe(restores ? 'restored-20260131' : named.database)
    }
  }
  expect(lines).toBeGreaterThan(8)
})

test('by hand the stack keeps what the last release deployed, and its secrets', async () => {
  const [functions, relays] = [
    'a'.repeat(64),
    `${'b'.repeat(64)}  relay-vm.tar.gz\n${'c'.repeat(64)}  node-v24.tar.gz`,
  ]
  const record = JSON.stringify({ archives: { functions, relays: sha256Of(Buffer.from(relays)) } })
  const applies = recoveryOf('database', environment).filter(({ commands: lines }) =>
    lines.some((line) => line.startsWith('terraform ')),
  )
  expect(applies).toHaveLength(3)
  for (const { commands: lines } of applies) {
    // Google's tool has the record and the list under their names; npm and Terraform print what they are given.
    const script = [
      `gcloud() { case "$*" in
        "storage cp gs://${stateBucket(environment)}/releases/current.json "*) echo '${record}' > "$4";;
        "storage cp gs://${archivesBucket(environment)}/${relaysFolder(relays)}/SHA256SUMS "*) echo '${relays}' > "$4";;
        "secrets versions access latest --secret="*) echo "value of $5";;
        "storage rm "* | "run services "*) ;;
        *) return 1;;
      esac; }`,
      'npm() { echo "$6 $7"; cat "$9"; }',
      'terraform() { env | grep ^TF_VAR_ | sort; }',
      ...lines,
    ].join('\n')
    const { code, text } = await shell.run(`set -eu\n${script}`)
    expect({ code, text }).toMatchObject({
      code: 0,
      text: expect.stringContaining(`--functions ${functions}\n`),
    })
    expect(text).toContain(relays)
    for (const { id, variable } of Object.values(secrets))
      expect(text).toContain(`TF_VAR_${variable}=value of --secret=${id}\n`)
  }
})

test('functions change over: the calls of each go to its new revision before what was forgotten ends', () => {
  const lines = recoveryOf('database', environment).flatMap((step) => step.commands)
  const place = `--region=${environment.region} --project=${environment.project}`
  const at = services.map((name) =>
    lines.indexOf(`gcloud run services update-traffic ${name} --to-latest ${place}`),
  )
  const applied = lines.flatMap((line, index) =>
    line.startsWith('terraform ') && line.endsWith(' apply') ? [index] : [],
  )
  expect(Math.min(...at)).toBeGreaterThan(applied[1] ?? Infinity)
  expect(Math.max(...at)).toBeLessThan(lines.findIndex((line) => line.includes(' backup settle ')))
})

test('a revoked token is replaced by a release, which leaves the other secrets as they are', () => {
  const lines = recoveryOf('dns', environment).flatMap((step) => step.commands)
  expect(lines.filter((line) => line.startsWith('terraform '))).toEqual([])
  expect(lines.slice(0, 2)).toEqual([
    `export TF_VAR_${secrets.PORTTUNNELER_CLOUDFLARE_TOKEN.variable}`,
    'npm run release -- --env prod',
  ])
})

test('a database beside the first gets the same indexes, and functions use the one that is named', () => {
  const named = 'restored-20260131'
  const input = { ...environments.prod, databases: ['(default)', named], database: named }
  const two = environmentSchema.parse(input)
  using before = new Workbench(environment)
  using after = new Workbench(two)
  const [one, both] = [before, after].map((bench) => stacksOf([bench.read('control')]))
  for (const type of ['google_firestore_index', 'google_firestore_field', 'google_firestore_backup_schedule'])
    expect(both?.of(type), type).toHaveLength(2 * (one?.of(type).length ?? 0))
  const keys = (stacks: typeof one) => stacks?.of('google_firestore_index').map(([place]) => place) ?? []
  expect(keys(both), 'the first keeps its own').toEqual(expect.arrayContaining(keys(one)))
  expect(
    both
      ?.of('google_firestore_database')
      .map(([, { name }]) => name)
      .sort(),
  ).toEqual(['(default)', named])
  expect(functionVariables(two).PORTTUNNELER_DATABASE).toBe(named)
  expect(environmentSchema.safeParse({ ...input, database: 'another' }).success).toBe(false)
})
