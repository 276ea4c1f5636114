/** The workflows of GitHub Actions keep to rules that GitHub does not check; actionlint checks the rest of them. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import manifest from '../package.json' with { type: 'json' }
import { pinsOf } from './pins.ts'

const root = join(import.meta.dirname, '..')
const folder = join(root, '.github/workflows')
const texts = readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')] as const)

const permissions = z.partialRecord(
  z.enum(['actions', 'attestations', 'contents', 'id-token']),
  z.enum(['read', 'write', 'none']),
)
const values = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
const stepSchema = z
  .strictObject({
    name: z.string().optional(),
    uses: z.string().optional(),
    with: values.optional(),
    run: z.string().optional(),
    env: values.optional(),
  })
  .refine(({ uses, run }) => (uses === undefined) !== (run === undefined), 'either uses or run')
const jobSchema = z.strictObject({
  if: z.string().optional(),
  needs: z.string().optional(),
  'runs-on': z.literal('ubuntu-24.04'),
  'timeout-minutes': z.int().min(1).max(360),
  environment: z.enum(['staging', 'prod', 'npm']).optional(),
  permissions: permissions.optional(),
  strategy: z.looseObject({}).optional(),
  env: values.optional(),
  steps: z.array(stepSchema).min(1),
})
/** Strict: what is written otherwise than here is a mistake, or a decision that belongs here too. */
const workflowSchema = z.strictObject({
  name: z.string(),
  on: z.partialRecord(z.enum(['push', 'pull_request', 'workflow_dispatch']), z.unknown()),
  permissions: z.strictObject({ contents: z.literal('read') }),
  concurrency: z.strictObject({
    group: z.string(),
    'cancel-in-progress': z.union([z.boolean(), z.string()]),
  }),
  jobs: z.record(z.string(), jobSchema),
})
type Workflow = z.output<typeof workflowSchema>

/** A line for each breach. */
function breaches(text: string): readonly string[] {
  const parsed = workflowSchema.safeParse(parse(text))
  if (!parsed.success) return [z.prettifyError(parsed.error)]
  const workflow = parsed.data
  return [
    ...(/\bsecrets\b/.test(text.replace(/#.*/g, '')) ? ['it has a secret: take a token of OIDC'] : []),
    ...pinBreaches(text),
    ...groupBreaches(workflow),
    ...Object.entries(workflow.jobs).flatMap(([name, job]) =>
      jobBreaches(workflow, job).map((breach) => `${name}: ${breach}`),
    ),
  ]
}

/** A group holds one run and one that waits: a third one cancels that which waits. */
function groupBreaches({ name, on, concurrency: { group } }: Workflow): readonly string[] {
  const ofRelease = `$\{{ inputs.order == 'rollback' && 'release-rollback' || 'release' }}`
  if (name === 'release')
    return group === ofRelease ? [] : ['a rollback waits for the release that it undoes']
  const each = `$\{{ github.event_name == 'pull_request' && github.ref || github.sha }}`
  return on.push !== undefined && !group.endsWith(each)
    ? ['commits of main share a group, so some are never tried']
    : []
}

function pinBreaches(text: string): readonly string[] {
  const pins = pinsOf(text)
  const used = text.split('\n').filter((line) => /\buses:/.test(line)).length
  return [
    ...(pins.length === used ? [] : ['an action in an unknown form']),
    ...pins
      .filter(
        ({ commit, version }) => !/^[0-9a-f]{40}$/.test(commit) || !/^v\d+\.\d+\.\d+$/.test(version ?? ''),
      )
      .map(({ action }) => `${action} is not pinned to a commit with its version`),
  ]
}

function jobBreaches({ on }: Workflow, job: Workflow['jobs'][string]): readonly string[] {
  const given: NonNullable<typeof job.permissions> = job.permissions ?? {}
  const uses = (action: string) => job.steps.filter((step) => step.uses?.startsWith(`${action}@`))
  const signsIn = given['id-token'] === 'write'
  const isAttesting = given.attestations === 'write'
  return [
    ...(on.pull_request !== undefined && Object.values(given).includes('write')
      ? ['a pull request may write']
      : []),
    ...(signsIn && job.environment === undefined && !isAttesting
      ? ['it signs in without an environment, so nobody approves']
      : []),
    ...(uses('actions/checkout').some((step) => step.with?.['persist-credentials'] !== false)
      ? ['the checkout keeps its credentials']
      : []),
    ...(uses('actions/setup-node').some(
      (step) => `>=${step.with?.['node-version']}` !== manifest.engines.node,
    )
      ? ['another Node than package.json wants']
      : []),
    ...(signsIn && !job.steps.some(({ run }) => run?.includes('merge-base --is-ancestor HEAD origin/main'))
      ? ['it signs in with a commit that need not be on main']
      : []),
    ...job.steps.flatMap(({ run }) => (run === undefined ? [] : runBreaches(run))),
  ]
}

function runBreaches(run: string): readonly string[] {
  return [
    ...(run.includes('$' + '{{') ? ['an expression inside a script, where it could be a command'] : []),
    ...[...run.matchAll(/npm run (?:--silent )?([\w:-]+)(?: -w ([\w-]+))?/g)]
      .filter(([, script = '', workspace]) => !hasScript(script, workspace))
      .map(([line]) => `${line}: no such script`),
    ...[...run.matchAll(/npm ci --prefix (\S+)/g)]
      .filter(([, path = '']) => !existsSync(join(root, path, 'package-lock.json')))
      .map(([line]) => `${line}: no lock file there`),
  ]
}

const scriptsSchema = z.looseObject({ scripts: z.record(z.string(), z.string()).default({}) })

function hasScript(script: string, workspace: string | undefined): boolean {
  const path = join(root, workspace ?? '.', 'package.json')
  return existsSync(path) && script in scriptsSchema.parse(JSON.parse(readFileSync(path, 'utf8'))).scripts
}

test.each(texts)('%s keeps to the rules', (_, text) => {
  expect(breaches(text)).toEqual([])
})

test('actions have one commit for each version, in all workflows', () => {
  const all = texts.flatMap(([, text]) => pinsOf(text))
  const commits = Map.groupBy(all, ({ action, version }) => `${action} ${version}`)
  for (const [name, pins] of commits) expect(new Set(pins.map(({ commit }) => commit)).size, name).toBe(1)
})

describe('each mistake is found', () => {
  const release = readFileSync(join(folder, 'release.yml'), 'utf8')
  const ci = readFileSync(join(folder, 'ci.yml'), 'utf8')
  test.each([
    ['a tag instead of a commit', ci.replace(/checkout@[0-9a-f]{40} # v\S+/, 'checkout@v5'), 'not pinned'],
    ['a commit without its version', ci.replace(/(checkout@[0-9a-f]{40}) # v\S+/, '$1'), 'not pinned'],
    ['no permissions', ci.replace(/^permissions:\n {2}contents: read\n/m, ''), 'permissions'],
    [
      'all permissions',
      ci.replace('permissions:\n  contents: read', 'permissions: write-all'),
      'permissions',
    ],
    [
      'commits of main that push each other out',
      ci.replace(/group: ci-.*/, `group: ci-$\{{ github.ref }}`),
      'some are never tried',
    ],
    [
      'a rollback that waits for a release',
      release.replace(/group: .*/, 'group: release'),
      'a rollback waits',
    ],
    ['no time limit', ci.replace(/ {4}timeout-minutes: 60\n/, ''), 'timeout-minutes'],
    [
      'a trigger with rights for strangers',
      ci.replace('pull_request:', 'pull_request_target:'),
      'pull_request_target',
    ],
    [
      'a pull request that may write',
      ci.replace(
        '    timeout-minutes: 60',
        '    timeout-minutes: 60\n    permissions:\n      contents: write',
      ),
      'may write',
    ],
    [
      'a secret',
      ci
        .replace('bash .ci/run', 'KEY=$KEY bash .ci/run\n        env:\n          KEY: x # y')
        .replace('KEY: x', `KEY: $\{{ secrets.KEY }}`),
      'secret',
    ],
    [
      'a checkout that keeps its credentials',
      ci.replace('persist-credentials: false', 'fetch-depth: 1'),
      'keeps its credentials',
    ],
    ['another Node', ci.replace('node-version: 24', 'node-version: 22'), 'another Node'],
    [
      'an expression in a script',
      release.replace('case "$ORDER" in', `case "$\{{ inputs.order }}" in`),
      'an expression inside',
    ],
    [
      'a script that does not exist',
      ci.replace('archive -w functions', 'archives -w functions'),
      'no such script',
    ],
    ['a release that nobody approves', release.replace('    environment: prod\n', ''), 'nobody approves'],
    [
      'code of a pull request with rights',
      release.replaceAll('      - run: git merge-base --is-ancestor HEAD origin/main\n', ''),
      'need not be on main',
    ],
  ])('%s', (_, text, says) => {
    expect([ci, release]).not.toContain(text)
    expect(breaches(text).join('\n')).toContain(says)
  })
})

function hasActionlint(): boolean {
  try {
    execFileSync('actionlint', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

test.skipIf(!hasActionlint())(
  'actionlint finds nothing (without it: .ci/run installs it where Go is)',
  () => {
    const files = texts.map(([name]) => join(folder, name))
    expect(execFileSync('actionlint', ['-shellcheck=', '-pyflakes=', ...files], { encoding: 'utf8' })).toBe(
      '',
    )
  },
)
