/** What the steps rely on elsewhere: scripts, stacks, the console's form. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { npmCommands } from '../offline/programs.ts'
import { steps } from './all.ts'
import { bills } from './archives.ts'
import { destroyed, stacks } from './stacks.ts'

const root = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')

test('each npm script that a release runs exists', () => {
  for (const command of npmCommands) {
    const [, script, workspace] = /^run --silent (\w+) -w (\S+)$/.exec(command) ?? []
    if (script !== undefined)
      expect(JSON.parse(read(`${workspace}/package.json`))).toHaveProperty(['scripts', script])
  }
})

test('each bill of materials that a release publishes is in the provenance, and kept by CI', () => {
  const kept = [...Object.values(bills), 'relay-vm/dist/sbom.cdx.json']
  for (const workflow of ['release', 'ci']) {
    const lines = read(`.github/workflows/${workflow}.yml`)
      .split('\n')
      .map((line) => line.trim())
    expect(lines, workflow).toEqual(expect.arrayContaining(kept))
  }
})

test('the stacks are those of the cloud stack, in its order', () => {
  const [, list = ''] = /const kinds = \[([^\]]*)\]/.exec(read('cdktf/stacks/all.ts')) ?? []
  expect([...list.matchAll(/(\w+)Stack/g)].map(([, name = '']) => name.toLowerCase())).toEqual([...stacks])
})

test('a step that is needed until another names one that exists and comes later', () => {
  for (const [index, { neededUntil }] of steps.entries())
    if (neededUntil !== undefined)
      expect(steps.findIndex(({ name }) => name === neededUntil)).toBeGreaterThan(index)
})

test('docs/release.md has each step with its title, in order', () => {
  const [, section = ''] = read('docs/release.md').split('\n## What it does\n')
  const [table = ''] = section.split('\n## ')
  const rows = [...table.matchAll(/^\| `([a-z]+)` \| ([^|]+?) \|/gm)].map(([, name, title]) => [name, title])
  expect(rows).toEqual(steps.map(({ name, title }) => [name, title]))
})

test('what a plan takes away is named, unless every release replaces it', () => {
  const change = (type: string, ...actions: string[]) => ({ address: `${type}.x`, type, change: { actions } })
  expect(
    destroyed([
      change('google_pubsub_topic', 'no-op'),
      change('google_pubsub_topic', 'create'),
      change('google_pubsub_topic', 'update'),
      change('google_compute_instance_template', 'create', 'delete'),
      change('google_pubsub_topic', 'delete'),
      change('google_pubsub_subscription', 'delete', 'create'),
    ]),
  ).toEqual(['google_pubsub_topic.x (deleted)', 'google_pubsub_subscription.x (replaced)'])
})
