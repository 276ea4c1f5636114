/** Lets the real Terraform judge every stack of every environment. The cloud behind it is a stand-in. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { destroyed } from '../release/steps/stacks.ts'
import { isWhole } from '../shared/testing/breadth.ts'
import { type Synthesised, terraformMissing, Workbench } from './offline/workbench.ts'
import { type EnvironmentName, environments, readEnvironment } from './read-environment.ts'

const secrets = {
  stripe_key: 'sk_live_of-the-stacks-test',
  stripe_events_secret: 'whsec_events-of-the-stacks-test',
  stripe_webhook_secret: 'whsec_of-the-stacks-test',
  cloudflare_token: 'token-of-the-stacks-test-0123456789abcdef',
  mail_smtp: 'smtps://user:of-the-stacks-test@mail.example.com',
}
const deploy = join(import.meta.dirname, '../relay-vm/deploy')
const missing = terraformMissing()
if (missing && process.env.CI) throw new Error(missing)
const reference = (path: string) => `$\{${path}}`
const names = ['project', 'network', 'identity', 'control', 'relays', 'edge', 'observability']

describe.skipIf(missing !== undefined)(missing ?? 'with the real Terraform', () => {
  const smaller = (Object.keys(environments) as EnvironmentName[]).filter((name) => name !== 'prod')
  // The same code with other values, whose rules policies.test.ts checks each time.
  test.skipIf(!isWhole).each(smaller)('%s: every stack is valid', async (name) => {
    using bench = await new Workbench(readEnvironment(name)).open()
    for (const stack of bench.names) await bench.terraform(stack, ['validate'])
  })

  describe('prod', () => {
    let bench: Workbench
    beforeAll(async () => {
      bench = await new Workbench(readEnvironment('prod')).open()
      for (const stack of names) await bench.terraform(stack, ['init'])
    })
    afterAll(() => bench[Symbol.dispose]())

    test('has the stacks in their order', () => expect(bench.names).toEqual(names))

    test.each(names)('%s: is valid, is applied, and needs no change after that', async (stack) => {
      expect(await bench.terraform(stack, ['apply', '-auto-approve'], secrets)).toContain('Apply complete!')
      const plan = ['plan', '-detailed-exitcode', '-out=unchanged']
      expect(await bench.terraform(stack, plan, secrets)).toContain('No changes.')
    })

    test('gives a VM the scripts as they are', async () => {
      const state = JSON.parse(await bench.terraform('relays', ['show', '-json'])) as {
        values: {
          root_module: { resources: { type: string; values: { metadata: Record<string, string> } }[] }
        }
      }
      const { resources } = state.values.root_module
      const templates = resources.filter(({ type }) => type === 'google_compute_instance_template')
      expect(templates.length).toBeGreaterThan(1)
      for (const { values } of templates)
        for (const [key, file] of Object.entries({
          'startup-script': 'start-up.sh',
          'shutdown-script': 'shutdown.sh',
        }))
          expect(values.metadata[key]).toBe(readFileSync(join(deploy, file), 'utf8'))
    })

    test('keeps no secret in state or plan', async () => {
      const state = await bench.terraform('control', ['state', 'pull'])
      const plan = await bench.terraform('control', ['show', '-json', 'unchanged'])
      for (const secret of Object.values(secrets)) {
        expect(state).not.toContain(secret)
        expect(plan).not.toContain(secret)
      }
    })

    /** The first resource of a type. */
    const one = (content: Synthesised, type: string) => Object.values(content.resource[type] ?? {})[0] ?? {}
    async function refused(change: (content: Synthesised) => void): Promise<string> {
      using _ = bench.edit('control', change)
      return await bench.terraform('control', ['validate'], secrets).then(
        (out) => out,
        (error: { stderr: string }) => error.stderr.replace(/\s*\n[│ ]*/g, ' '),
      )
    }

    test('a changed setting is one change; a release sees what would be taken away, and nothing else', async () => {
      const [gone = '', slower = ''] = Object.keys(
        bench.read('control').resource.google_pubsub_subscription ?? {},
      )
      using _ = bench.edit('control', ({ resource: { google_pubsub_subscription: all = {} } }) => {
        delete all[gone]
        Object.assign(all[slower] ?? {}, { ack_deadline_seconds: 20 })
      })
      const out = await bench.terraform('control', ['plan', '-out=lossy'], secrets)
      expect(out).toContain('Plan: 0 to add, 1 to change, 1 to destroy.')
      const shown = await bench.terraform('control', ['show', '-json', 'lossy'])
      const { resource_changes: changes } = JSON.parse(shown) as {
        resource_changes: Parameters<typeof destroyed>[0]
      }
      expect(destroyed(changes)).toEqual([`google_pubsub_subscription.${gone} (deleted)`])
    })

    test.each<[mistake: string, says: string, (content: Synthesised) => void]>([
      [
        'an argument that does not exist',
        'Extraneous JSON object property',
        (content) => Object.assign(one(content, 'google_pubsub_topic'), { retension: '1s' }),
      ],
      [
        'a required argument is missing',
        'The argument "topic" is required',
        (content) => delete one(content, 'google_pubsub_subscription').topic,
      ],
      [
        'a reference to nothing',
        'Reference to undeclared resource',
        (content) =>
          Object.assign(one(content, 'google_pubsub_subscription'), {
            topic: reference('google_pubsub_topic.none.id'),
          }),
      ],
      [
        'an attribute that the type has not',
        'Unsupported attribute',
        (content) => {
          const [topic = ''] = Object.keys(content.resource.google_pubsub_topic ?? {})
          one(content, 'google_pubsub_subscription').topic = reference(`google_pubsub_topic.${topic}.path`)
        },
      ],
      [
        'a text for a number',
        'a number is required',
        (content) =>
          Object.assign(one(content, 'google_pubsub_subscription'), { ack_deadline_seconds: 'ten' }),
      ],
    ])('%s: Terraform refuses it', async (_, says, change) => {
      expect(await refused(change)).toContain(says)
    })

    test('nothing that holds data can be destroyed', async () => {
      await expect(bench.terraform('control', ['destroy', '-auto-approve'], secrets)).rejects.toMatchObject({
        stderr: expect.stringContaining('Instance cannot be destroyed') as string,
      })
    })

    test('what holds none is destroyed whole', async () => {
      expect(await bench.terraform('network', ['destroy', '-auto-approve'])).toContain('Destroy complete!')
    })
  })
})
