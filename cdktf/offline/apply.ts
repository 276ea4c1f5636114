/**
 * Applies an environment where there is no cloud, and prints what it then consists of, as JSON: every resource with its
 * values from Terraform's state, the first steps, the secrets. e2e/applied.test.ts starts functions and a relay with
 * exactly that. `node cdktf/offline/apply.ts prod` reads from its input what differs from that environment, as JSON.
 */
import process from 'node:process'
import { text } from 'node:stream/consumers'
import { z } from 'zod'
import { environmentSchema } from '../environment.ts'
import { firstSteps } from '../first-steps.ts'
import { type EnvironmentName, environments } from '../read-environment.ts'
import { Workbench } from './workbench.ts'

/** Those by which programs run. */
const applied = ['project', 'network', 'control', 'relays', 'edge']
/** Values that an operator gives with the variables TF_VAR_…. */
const secrets = {
  stripe_key: 'sk_live_of-an-applied-stack',
  stripe_events_secret: 'whsec_events-of-an-applied-stack',
  stripe_webhook_secret: 'whsec_of-an-applied-stack',
  cloudflare_token: 'token-of-an-applied-stack-0123456789abcde',
  mail_smtp: 'smtps://user:of-an-applied-stack@mail.example.com',
}

const shownSchema = z.object({
  values: z.object({
    root_module: z.object({
      resources: z.array(
        z.object({ type: z.string(), name: z.string(), values: z.record(z.string(), z.unknown()) }),
      ),
    }),
  }),
})
const versionSchema = z.looseObject({ secret: z.string(), secret_data_wo: z.string() })

async function apply(bench: Workbench, stack: string) {
  await bench.terraform(stack, ['init'])
  await bench.terraform(stack, ['apply', '-auto-approve'], stack === 'control' ? secrets : {})
  const shown = shownSchema.parse(JSON.parse(await bench.terraform(stack, ['show', '-json'])))
  return shown.values.root_module.resources
}

/** The state holds no value of a secret: the synthesised file says which variable it comes from. */
function secretValues(bench: Workbench, resources: Awaited<ReturnType<typeof apply>>) {
  const versions = Object.values(bench.read('control').resource.google_secret_manager_secret_version ?? {})
  return Object.fromEntries(
    versions.map((version) => {
      const { secret, secret_data_wo } = versionSchema.parse(version)
      const named = secret.split('.')[1]
      const made = resources.find(
        ({ type, name }) => type === 'google_secret_manager_secret' && name === named,
      )
      const variable = /var\.(\w+)/.exec(secret_data_wo)?.[1] ?? ''
      return [String(made?.values.secret_id), secrets[variable as keyof typeof secrets]]
    }),
  )
}

const [name = ''] = process.argv.slice(2)
const differing = z.record(z.string(), z.unknown()).parse(JSON.parse((await text(process.stdin)) || '{}'))
const environment = environmentSchema.parse({ ...environments[name as EnvironmentName], ...differing })
using bench = await new Workbench(environment).open()
const resources = (await Promise.all(applied.map((stack) => apply(bench, stack)))).flat()
process.stdout.write(
  JSON.stringify({ resources, steps: firstSteps(environment), secrets: secretValues(bench, resources) }),
)
