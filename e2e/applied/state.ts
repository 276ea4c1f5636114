/**
 * What `node cdktf/offline/apply.ts` prints: the cloud stack after Terraform applied it, read as Google and Cloudflare
 * would carry it out. Nothing here has a default, so what the stack leaves out is missing for the programs too.
 */
import { z } from 'zod'

const resourceSchema = z.object({
  type: z.string(),
  name: z.string(),
  values: z.record(z.string(), z.unknown()),
})
const appliedSchema = z.object({
  resources: z.array(resourceSchema),
  /** What an operator does once (cdktf/first-steps.ts). */
  steps: z.array(z.object({ title: z.string(), commands: z.array(z.string()) })),
  /** By the name of the secret. */
  secrets: z.record(z.string(), z.string()),
})
export type Applied = z.output<typeof appliedSchema>

export function readApplied(text: string): Applied {
  return appliedSchema.parse(JSON.parse(text))
}

/** Terraform keeps a block that may stand once as a list of one. */
function one<T extends z.ZodType>(schema: T) {
  return z
    .array(schema)
    .length(1)
    .transform(([item]) => item as z.output<T>)
}

function all<T extends z.ZodType>({ resources }: Applied, type: string, schema: T): z.output<T>[] {
  return resources.filter((resource) => resource.type === type).map(({ values }) => schema.parse(values))
}

const functionSchema = z.object({
  name: z.string(),
  location: z.string(),
  build_config: one(
    z.object({
      entry_point: z.string(),
      source: one(z.object({ storage_source: one(z.object({ bucket: z.string(), object: z.string() })) })),
    }),
  ),
  service_config: one(
    z.object({
      uri: z.url(),
      service: z.string(),
      environment_variables: z.record(z.string(), z.string()),
      secret_environment_variables: z.array(z.object({ key: z.string(), secret: z.string() })),
    }),
  ),
  event_trigger: z.array(z.object({ pubsub_topic: z.string(), service_account_email: z.string() })).max(1),
})

export type DeployedFunction = {
  readonly name: string
  readonly entryPoint: string
  /** `bucket/object` with its source. */
  readonly archive: string
  /** Where its Cloud Run service answers. */
  readonly host: string
  /** `projects/…/locations/…/services/…` */
  readonly service: string
  /** Its whole environment, secrets included. */
  readonly variables: Readonly<Record<string, string>>
  /** The topic that calls it, and as whom. */
  readonly trigger?: { readonly topic: string; readonly caller: string }
}

export function functionsOf(applied: Applied): readonly DeployedFunction[] {
  return all(applied, 'google_cloudfunctions2_function', functionSchema).map(
    ({ name, build_config, service_config, event_trigger: [trigger] }) => {
      const { bucket, object } = build_config.source.storage_source
      const secrets = service_config.secret_environment_variables.map(({ key, secret }) => {
        const value = applied.secrets[secret]
        if (value === undefined) throw new Error(`${name}: there is no secret ${secret}`)
        return [key, value]
      })
      return {
        name,
        entryPoint: build_config.entry_point,
        archive: `${bucket}/${object}`,
        host: new URL(service_config.uri).hostname,
        service: service_config.service,
        variables: { ...service_config.environment_variables, ...Object.fromEntries(secrets) },
        ...(trigger && {
          trigger: { topic: trigger.pubsub_topic, caller: trigger.service_account_email },
        }),
      }
    },
  )
}

const invokerSchema = z.object({ name: z.string(), role: z.literal('roles/run.invoker'), member: z.string() })

/** Whether Cloud Run lets `caller` in: an address of an account, or nobody known. */
export function mayCall(applied: Applied, service: string, caller: string | undefined): boolean {
  return all(applied, 'google_cloud_run_v2_service_iam_member', invokerSchema).some(
    ({ name, member }) =>
      name === service && (member === 'allUsers' || member === `serviceAccount:${caller}`),
  )
}

const jobSchema = z.object({
  http_target: one(
    z.object({
      http_method: z.string(),
      uri: z.url(),
      oidc_token: one(z.object({ service_account_email: z.string(), audience: z.string() })),
    }),
  ),
})

/** The one call of the scheduler. */
export function scheduledCall(applied: Applied) {
  const [job, ...others] = all(applied, 'google_cloud_scheduler_job', jobSchema)
  if (!job || others.length > 0) throw new Error('there is not one job of the scheduler')
  return job.http_target
}

const topicSchema = z.object({ id: z.string() })
const subscriptionSchema = z.object({
  name: z.string(),
  project: z.string(),
  topic: z.string(),
  ack_deadline_seconds: z.number(),
})

/** Full names. */
export function topicsOf(applied: Applied): readonly string[] {
  return all(applied, 'google_pubsub_topic', topicSchema).map(({ id }) => id)
}

export function subscriptionsOf(applied: Applied) {
  return all(applied, 'google_pubsub_subscription', subscriptionSchema).map(
    ({ name, project, topic, ack_deadline_seconds: ackDeadlineSeconds }) => ({
      name: `projects/${project}/subscriptions/${name}`,
      topic,
      ackDeadlineSeconds,
    }),
  )
}

const templateSchema = z.object({
  self_link_unique: z.string(),
  metadata: z.record(z.string(), z.string()),
  service_account: one(z.object({ email: z.string() })),
  scheduling: one(z.object({ preemptible: z.boolean().nullish() })),
})
const groupSchema = z.object({
  name: z.string(),
  zone: z.string(),
  instance_group: z.string(),
  target_size: z.literal(1),
  version: one(z.object({ instance_template: z.string() })),
})

export type RelayVm = {
  /** Its group: `zones/…/instanceGroupManagers/…`. */
  readonly group: string
  readonly name: string
  readonly zone: string
  readonly account: string
  /** Addresses that lead to it through a balancer. */
  readonly addresses: readonly string[]
  readonly isPreemptible: boolean
  readonly metadata: Readonly<Record<string, string>>
}

export function vmsOf(applied: Applied): readonly RelayVm[] {
  const templates = all(applied, 'google_compute_instance_template', templateSchema)
  const groups = all(applied, 'google_compute_instance_group_manager', groupSchema)
  return groups.map(({ name, zone, version, instance_group: members }) => {
    const template = templates.find(({ self_link_unique: link }) => link === version.instance_template)
    if (!template) throw new Error(`${name} has no template`)
    return {
      group: `zones/${zone}/instanceGroupManagers/${name}`,
      name,
      zone,
      account: template.service_account.email,
      addresses: balancedAddresses(applied, members),
      isPreemptible: template.scheduling.preemptible === true,
      metadata: template.metadata,
    }
  })
}

const addressSchema = z.object({ id: z.string(), address: z.ipv4() })
const ruleSchema = z.object({
  ip_address: z.string(),
  backend_service: z.string(),
  all_ports: z.literal(true),
})
const balancerSchema = z.object({ id: z.string(), backend: z.array(z.object({ group: z.string() })) })

function balancedAddresses(applied: Applied, members: string): readonly string[] {
  const balancers = all(applied, 'google_compute_region_backend_service', balancerSchema)
    .filter(({ backend }) => backend.some(({ group }) => group === members))
    .map(({ id }) => id)
  const carried = all(applied, 'google_compute_forwarding_rule', ruleSchema)
    .filter(({ backend_service: balancer }) => balancers.includes(balancer))
    .map(({ ip_address: address }) => address)
  return all(applied, 'google_compute_address', addressSchema)
    .filter(({ id }) => carried.includes(id))
    .map(({ address }) => address)
}

const firewallSchema = z.object({
  source_ranges: z.array(z.string()),
  target_service_accounts: z.array(z.string()),
  allow: z.array(z.object({ protocol: z.string(), ports: z.array(z.string()) })),
})

/** Whether strangers reach a port of a VM. */
export function isOpen(applied: Applied, { account }: RelayVm, port: number): boolean {
  return all(applied, 'google_compute_firewall', firewallSchema).some(
    ({ source_ranges: sources, target_service_accounts: targets, allow }) =>
      sources.includes('0.0.0.0/0') &&
      targets.includes(account) &&
      allow.some(({ protocol, ports }) => protocol === 'tcp' && ports.some((range) => isIn(range, port))),
  )
}

function isIn(range: string, port: number): boolean {
  const [from = 0, to = from] = range.split('-').map(Number)
  return from <= port && port <= to
}

const keySchema = z.object({ name: z.string(), key_ring: z.string() })
const databaseSchema = z.object({ name: z.string() })
const recordSchema = z.object({
  name: z.string(),
  type: z.string(),
  content: z.string().nullish(),
  data: z.looseObject({ tag: z.string(), value: z.string() }).nullish(),
})
const bucketSchema = z.object({ name: z.string() })
const readerSchema = z.object({ bucket: z.string(), role: z.string(), member: z.string() })

export function keysOf(applied: Applied): readonly string[] {
  return all(applied, 'google_kms_crypto_key', keySchema).map(
    ({ name, key_ring: ring }) => `${ring}/cryptoKeys/${name}`,
  )
}

export function databasesOf(applied: Applied): readonly string[] {
  return all(applied, 'google_firestore_database', databaseSchema).map(({ name }) => name)
}

/** Those by which a name leads somewhere. */
export function recordsOf(applied: Applied) {
  return all(applied, 'cloudflare_dns_record', recordSchema).flatMap(({ name, type, content }) =>
    (type === 'A' || type === 'AAAA' || type === 'CNAME') && content
      ? [{ name, type, content } as const]
      : [],
  )
}

/** The authorities that may certify names of a zone. */
export function authoritiesOf(applied: Applied) {
  return all(applied, 'cloudflare_dns_record', recordSchema).flatMap(({ name, type, data }) =>
    type === 'CAA' && data?.tag === 'issue' ? [{ name, type, content: data.value }] : [],
  )
}

/** With whether strangers may read what is in it. */
export function bucketsOf(applied: Applied): ReadonlyMap<string, boolean> {
  const readers = all(applied, 'google_storage_bucket_iam_member', readerSchema)
  const isPublic = (bucket: string) =>
    readers.some(
      (reader) =>
        reader.bucket === bucket &&
        reader.member === 'allUsers' &&
        reader.role === 'roles/storage.objectViewer',
    )
  return new Map(
    all(applied, 'google_storage_bucket', bucketSchema).map(({ name }) => [name, isPublic(name)]),
  )
}

/** The command lines of one first step. */
export function stepOf({ steps }: Applied, title: string): readonly string[] {
  const step = steps.find((each) => each.title.startsWith(title))
  if (!step) throw new Error(`there is no step ${title}`)
  return step.commands
}
