/** Policies about what holds data or carries it: database, keys, buckets, messages, functions. */
import { each, has, type Policy, part, parts, type Settings, seconds, texts } from './policy.ts'

const keeps = (settings: Settings) => has(part(settings, 'lifecycle'), { prevent_destroy: true })
const emulated = /EMULATOR|EMULATED|^PORT$|^K_|^FUNCTION_/

export const dataPolicies: readonly Policy[] = [
  each(
    'the database keeps a week of its past, and cannot be deleted',
    ['google_firestore_database'],
    (database) =>
      has(database, {
        name: '(default)',
        type: 'FIRESTORE_NATIVE',
        point_in_time_recovery_enablement: 'POINT_IN_TIME_RECOVERY_ENABLED',
        delete_protection_state: 'DELETE_PROTECTION_ENABLED',
        deletion_policy: 'ABANDON',
      }) && keeps(database),
    [
      (database) => delete database.point_in_time_recovery_enablement,
      (database) => delete database.delete_protection_state,
      (database) => (database.deletion_policy = 'DELETE'),
      (database) => delete database.lifecycle,
      (database) => (database.name = 'main'),
    ],
  ),
  each(
    'backups are daily or weekly, and kept as long as Google allows',
    ['google_firestore_backup_schedule'],
    (schedule) =>
      ['daily_recurrence', 'weekly_recurrence'].filter((name) => schedule[name] !== undefined).length === 1 &&
      seconds(schedule.retention) <= 98 * 86_400,
    [(schedule) => (schedule.retention = `${99 * 86_400}s`), (schedule) => (schedule.daily_recurrence = {})],
  ),
  each(
    'an index has several fields',
    ['google_firestore_index'],
    (index) => parts(index, 'fields').length >= 2 && index.collection !== undefined,
    [(index) => (index.fields = [{ field_path: 'a', order: 'ASCENDING' }])],
  ),
  {
    rule: 'one resource says all about a field',
    breaches: (stacks) => {
      const names = stacks
        .of('google_firestore_field')
        .map(([, { collection, field }]) => `${collection}.${field}`)
      return names.filter((name, index) => names.indexOf(name) !== index || name.endsWith('.*'))
    },
    mistakes: [
      (stacks) => {
        const [first, second] = stacks.of('google_firestore_field')
        if (first && second)
          Object.assign(second[1], { collection: first[1].collection, field: first[1].field })
      },
    ],
  },
  each(
    'no index on what expires or is never asked for',
    ['google_firestore_field'],
    (field) => field.index_config !== undefined && parts(part(field, 'index_config'), 'indexes').length === 0,
    [(field) => delete field.index_config],
  ),
  each(
    'old rules stay until new ones are in force',
    ['google_firebaserules_ruleset'],
    (ruleset) => has(part(ruleset, 'lifecycle'), { create_before_destroy: true }),
    [(ruleset) => delete ruleset.lifecycle],
  ),
  each(
    'keys stay: data that they wrapped would be lost',
    ['google_kms_key_ring', 'google_kms_crypto_key'],
    (key, type) =>
      keeps(key) &&
      (type === 'google_kms_key_ring' ||
        (seconds(key.rotation_period) > 86_400 && seconds(key.destroy_scheduled_duration) >= 30 * 86_400)),
    [
      (key) => delete key.lifecycle,
      (key) => (key.rotation_period = '3600s'),
      (key) => delete key.destroy_scheduled_duration,
    ],
  ),
  each(
    'buckets have one kind of rights, and all but one refuse strangers',
    ['google_storage_bucket'],
    (bucket) =>
      has(bucket, { uniform_bucket_level_access: true, force_destroy: false }) &&
      (String(bucket.name).endsWith('-archives') || bucket.public_access_prevention === 'enforced'),
    [
      (bucket) => delete bucket.uniform_bucket_level_access,
      (bucket) => Object.assign(bucket, { name: 'x-functions', public_access_prevention: 'inherited' }),
    ],
  ),
  each(
    'subscriptions live for ever, and wait as long as Pub/Sub can',
    ['google_pubsub_subscription'],
    (subscription) => {
      const ack = Number(subscription.ack_deadline_seconds)
      const kept = seconds(subscription.message_retention_duration)
      return (
        part(subscription, 'expiration_policy').ttl === '' &&
        ack >= 10 &&
        ack <= 600 &&
        kept >= 600 &&
        kept <= 31 * 86_400
      )
    },
    [
      (subscription) => delete subscription.expiration_policy,
      (subscription) => (subscription.ack_deadline_seconds = 5),
      (subscription) => (subscription.message_retention_duration = '60s'),
    ],
  ),
  each(
    'a message that nobody can handle ends among the dead ones, which have no such way themselves',
    ['google_pubsub_subscription'],
    (subscription) => {
      if (String(subscription.name).startsWith('ptun.dead-letters'))
        return subscription.dead_letter_policy === undefined
      const { dead_letter_topic, max_delivery_attempts } = part(subscription, 'dead_letter_policy')
      const { minimum_backoff, maximum_backoff } = part(subscription, 'retry_policy')
      const attempts = Number(max_delivery_attempts)
      return (
        dead_letter_topic !== undefined &&
        attempts >= 5 &&
        attempts <= 100 &&
        seconds(minimum_backoff) <= seconds(maximum_backoff)
      )
    },
    [
      (subscription) => (subscription.dead_letter_policy = {}),
      (subscription) => (part(subscription, 'dead_letter_policy').max_delivery_attempts = 3),
      (subscription) => (part(subscription, 'retry_policy').maximum_backoff = '0.01s'),
    ],
  ),
  each(
    'functions have an account of their own, the right runtime, and sizes that go together',
    ['google_cloudfunctions2_function'],
    (made) => {
      const service = part(made, 'service_config')
      const [memory, cpu, atOnce] = [
        service.available_memory,
        service.available_cpu,
        service.max_instance_request_concurrency,
      ]
      return (
        part(made, 'build_config').runtime === 'nodejs24' &&
        /^\$\{google_service_account\./.test(String(service.service_account_email)) &&
        /^\$\{google_service_account\./.test(String(part(made, 'build_config').service_account)) &&
        /^\d+Mi$/.test(String(memory)) &&
        ['1', '2', '4'].includes(String(cpu)) &&
        Number(atOnce) >= 1 &&
        Number(atOnce) <= 1_000 &&
        Number(service.min_instance_count) <= Number(service.max_instance_count) &&
        Number(service.timeout_seconds) <= (made.event_trigger === undefined ? 3_600 : 540)
      )
    },
    [
      (made) => (part(made, 'build_config').runtime = 'nodejs20'),
      (made) => delete part(made, 'service_config').service_account_email,
      (made) => (part(made, 'service_config').available_memory = 'lots'),
      (made) => (part(made, 'service_config').available_cpu = '0.167'),
      (made) => (part(made, 'service_config').min_instance_count = 99),
      (made) => (part(made, 'service_config').timeout_seconds = 9_999),
    ],
  ),
  each(
    'no calls go to a new revision of a function before a release moves them',
    ['google_cloudfunctions2_function'],
    (made) => part(made, 'service_config').all_traffic_on_latest_revision === false,
    [
      (made) => (part(made, 'service_config').all_traffic_on_latest_revision = true),
      (made) => delete part(made, 'service_config').all_traffic_on_latest_revision,
    ],
  ),
  each(
    'triggers say whether they try again, and as whom they call',
    ['google_cloudfunctions2_function'],
    (made) =>
      parts(made, 'event_trigger').every(
        ({ retry_policy, service_account_email, event_type }) =>
          ['RETRY_POLICY_RETRY', 'RETRY_POLICY_DO_NOT_RETRY'].includes(String(retry_policy)) &&
          service_account_email !== undefined &&
          event_type === 'google.cloud.pubsub.topic.v1.messagePublished',
      ),
    [(made) => (made.event_trigger = { retry_policy: 'RETRY', event_type: 'x.y' })],
  ),
  each(
    'no function is told of emulators, or of what the platform sets itself',
    ['google_cloudfunctions2_function'],
    (made) =>
      Object.keys(part(part(made, 'service_config'), 'environment_variables')).every(
        (name) => !emulated.test(name),
      ),
    [
      (made) =>
        (part(part(made, 'service_config'), 'environment_variables').FIRESTORE_EMULATOR_HOST = 'localhost:1'),
      (made) => (part(part(made, 'service_config'), 'environment_variables').PORT = '80'),
    ],
  ),
  each(
    'the scheduler waits as long as the function may take, and says for whom its token is',
    ['google_cloud_scheduler_job'],
    (job) => {
      const target = part(job, 'http_target')
      const deadline = seconds(job.attempt_deadline)
      return (
        /^(\S+ ){4}\S+$/.test(String(job.schedule)) &&
        deadline >= 540 &&
        deadline <= 1_800 &&
        part(target, 'oidc_token').audience === target.uri &&
        target.uri !== undefined
      )
    },
    [
      (job) => delete job.attempt_deadline,
      (job) => (job.attempt_deadline = '3600s'),
      (job) => (job.schedule = 'every quarter'),
      (job) => delete part(part(job, 'http_target'), 'oidc_token').audience,
    ],
  ),
  each(
    'every function gets all of what it reads',
    ['google_cloudfunctions2_function'],
    (made) => texts(Object.keys(part(part(made, 'service_config'), 'environment_variables'))).length >= 8,
    [(made) => (part(made, 'service_config').environment_variables = {})],
  ),
]
