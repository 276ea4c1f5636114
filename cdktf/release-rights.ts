/**
 * What the account of releases may do: apply the stacks and move calls and VMs, on what a release changes. It gives no
 * rights, deletes nothing that has data, and reads no data of people; a change of these is applied by a person
 * (docs/release.md). A policy compares this with the types of resources in the stacks.
 */

/**
 * Where a role of Google's would give rights to others (`setIamPolicy`), read the database, publish, receive or sign
 * people in. The names are those of Google's own roles.
 */
export const releaser = {
  roleId: 'releaser',
  title: 'Applies the stacks of a release, and moves calls',
  permissions: [
    'cloudbuild.builds.get',
    'cloudfunctions.functions.create',
    'cloudfunctions.functions.get',
    'cloudfunctions.functions.list',
    'cloudfunctions.functions.sourceCodeSet',
    'cloudfunctions.functions.update',
    'cloudfunctions.locations.list',
    'cloudfunctions.operations.get',
    'cloudfunctions.operations.list',
    'cloudfunctions.runtimes.list',
    'datastore.backupSchedules.create',
    'datastore.backupSchedules.get',
    'datastore.backupSchedules.list',
    'datastore.backupSchedules.update',
    'datastore.databases.create',
    'datastore.databases.get',
    'datastore.databases.getMetadata',
    'datastore.databases.list',
    'datastore.databases.update',
    'datastore.indexes.create',
    'datastore.indexes.get',
    'datastore.indexes.list',
    'datastore.indexes.update',
    'datastore.operations.get',
    'datastore.operations.list',
    'eventarc.operations.get',
    'eventarc.triggers.create',
    'eventarc.triggers.get',
    'eventarc.triggers.list',
    'eventarc.triggers.update',
    'firebaseauth.configs.create',
    'firebaseauth.configs.get',
    'firebaseauth.configs.update',
    'pubsub.subscriptions.create',
    'pubsub.subscriptions.get',
    'pubsub.subscriptions.list',
    'pubsub.subscriptions.update',
    'pubsub.topics.attachSubscription',
    'pubsub.topics.create',
    'pubsub.topics.get',
    'pubsub.topics.list',
    'pubsub.topics.update',
    'run.configurations.get',
    'run.configurations.list',
    'run.locations.list',
    'run.operations.get',
    'run.operations.list',
    'run.revisions.get',
    'run.revisions.list',
    'run.routes.get',
    'run.routes.list',
    'run.services.create',
    'run.services.get',
    'run.services.list',
    'run.services.update',
    'secretmanager.secrets.create',
    'secretmanager.secrets.get',
    'secretmanager.secrets.list',
    'secretmanager.secrets.update',
    // The next apply needs the secrets that it leaves as they are; the smoke test has a key of its own.
    'secretmanager.versions.access',
    'secretmanager.versions.add',
    // A version that has a successor is disabled and never destroyed.
    'secretmanager.versions.disable',
    'secretmanager.versions.enable',
    'secretmanager.versions.get',
    'secretmanager.versions.list',
  ],
} as const

/** Roles of Google's on the project, each with why it is no narrower. */
export const releaseRoles: Readonly<Record<string, string>> = {
  'roles/artifactregistry.reader': 'reads the images of functions alone',
  'roles/cloudkms.viewer': 'sees keys and can use none',
  'roles/cloudscheduler.admin': 'has no rights to give; the one job is ours',
  // Replacing a VM takes rights on disks, images, subnets, addresses and templates, which Google checks one after the
  // other. A role of our own that misses one would stop a release half way, and nothing here could try it.
  'roles/compute.admin': 'whoever sets the start-up script of a VM is root on it anyway',
  'roles/firebasehosting.admin': 'deploys the console and goes back to the version before',
  'roles/firebaserules.admin': 'has no rights to give; the rules deny everybody',
  // Terraform looks at every account, role and grant before it says that none changes.
  'roles/iam.securityReviewer': 'reads who has which right, and nothing else',
  'roles/iam.workloadIdentityPoolViewer': 'reads',
  'roles/logging.configWriter': 'sets where logs are kept, and reads none',
  'roles/monitoring.admin': 'dashboards, alerts and goals are all ours; its figures decide about a rollback',
  'roles/serviceusage.serviceUsageConsumer': 'pays for its calls',
}

/** Which right applies a resource: a role of the above, or a permission of `releaser`. The first that fits counts. */
export const appliedBy: readonly (readonly [type: RegExp, right: string])[] = [
  // Rights, accounts, services, keys and buckets; the budget belongs to the billing account.
  [
    /_iam_|^google_(service_account|project_service|kms_\w+|storage_bucket|iam_\w+|billing_budget)$/,
    'a person',
  ],
  [/^google_compute_/, 'roles/compute.admin'],
  [/^google_monitoring_/, 'roles/monitoring.admin'],
  [/^google_logging_/, 'roles/logging.configWriter'],
  [/^google_firebaserules_/, 'roles/firebaserules.admin'],
  [/^google_cloud_scheduler_job$/, 'roles/cloudscheduler.admin'],
  [/^google_cloudfunctions2_function$/, 'cloudfunctions.functions.update'],
  [/^google_firestore_database$/, 'datastore.databases.update'],
  [/^google_firestore_(index|field)$/, 'datastore.indexes.update'],
  [/^google_firestore_backup_schedule$/, 'datastore.backupSchedules.update'],
  [/^google_identity_platform_/, 'firebaseauth.configs.update'],
  [/^google_pubsub_subscription$/, 'pubsub.subscriptions.update'],
  [/^google_pubsub_topic$/, 'pubsub.topics.update'],
  [/^google_secret_manager_secret$/, 'secretmanager.secrets.update'],
  [/^google_secret_manager_secret_version$/, 'secretmanager.versions.add'],
  // At Cloudflare, by a token of its own.
  [/^cloudflare_/, 'CLOUDFLARE_API_TOKEN'],
]
