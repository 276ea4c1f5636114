/** Policies about a project as a whole: its quotas, and the labels by which its bill can be read. */
import { quotaUse } from '../quotas.ts'
import { has, type Policy, parts, type Settings } from './policy.ts'

const isLabelled = (provider: Settings) => {
  const [labels = {}] = parts(provider, 'default_labels')
  return (
    has(labels, { service: 'porttunneler' }) &&
    ['dev', 'staging', 'prod'].includes(String(labels.environment))
  )
}

export const projectPolicies: readonly Policy[] = [
  {
    rule: 'a new project has quotas enough',
    breaches: (stacks) =>
      quotaUse(stacks).flatMap(({ quota, place, used, max }) =>
        used > max ? [`${quota} in ${place}: ${used} of ${max}`] : [],
      ),
    mistakes: [
      (stacks) => {
        for (const [, template] of stacks.of('google_compute_instance_template'))
          template.machine_type = 'e2-standard-32'
      },
      (stacks) => {
        for (const [, template] of stacks.of('google_compute_instance_template'))
          for (const disk of parts(template, 'disk')) disk.disk_size_gb = 400
      },
    ],
  },
  {
    rule: 'all that can have labels says whose it is, and of which environment',
    breaches: ({ providers }) =>
      providers
        .filter(([name, provider]) => name === 'google' && !isLabelled(provider))
        .map(([name]) => name),
    mistakes: [
      ({ providers }) => {
        for (const [, provider] of providers) delete provider.default_labels
      },
      ({ providers }) => {
        for (const [, provider] of providers) provider.default_labels = { service: 'porttunneler' }
      },
    ],
  },
]
