/**
 * Makes what all other stacks need: Google's services switched on, the key that wraps the others, places for what
 * is deployed.
 */
import { KmsCryptoKey } from '@cdktf/provider-google/lib/kms-crypto-key/index.js'
import { KmsKeyRing } from '@cdktf/provider-google/lib/kms-key-ring/index.js'
import { ProjectService } from '@cdktf/provider-google/lib/project-service/index.js'
import { StorageBucket } from '@cdktf/provider-google/lib/storage-bucket/index.js'
import { StorageBucketIamMember } from '@cdktf/provider-google/lib/storage-bucket-iam-member/index.js'
import type { TerraformResource } from 'cdktf'
import type { Construct } from 'constructs'
import { archivesBucket, keyRing, signingKey, sourcesBucket } from '../names.ts'
import { irreplaceable, PorttunnelerStack, type StackOptions } from './porttunneler-stack.ts'

export const services = [
  'apikeys',
  'artifactregistry',
  'billingbudgets',
  'cloudbuild',
  'cloudfunctions',
  'cloudkms',
  'cloudresourcemanager',
  'cloudscheduler',
  'compute',
  'eventarc',
  'firebase',
  'firebasehosting',
  'firebaserules',
  'firestore',
  'iam',
  'iamcredentials',
  'identitytoolkit',
  'logging',
  'monitoring',
  'pubsub',
  'run',
  'secretmanager',
  'serviceusage',
  'storage',
  'sts',
] as const

/** Data that old keys wrapped stays readable: a new version every 90 days, and none is destroyed by itself. */
const keyRotation = `${90 * 86_400}s`
/** The longest that Google offers between an order to destroy a version and its end. */
const keyDestruction = `${120 * 86_400}s`

export class ProjectStack extends PorttunnelerStack {
  constructor(scope: Construct, options: StackOptions) {
    super(scope, 'project', options)
    const ready = services.map(
      (service) =>
        new ProjectService(this, `api-${service}`, {
          project: this.environment.project,
          service: `${service}.googleapis.com`,
          // Otherwise taking a line from this list would switch a service off, with all that is in it.
          disableOnDestroy: false,
        }),
    )
    this.#key(ready)
    this.#buckets(ready)
  }

  #key(dependsOn: readonly TerraformResource[]): void {
    const { region } = this.environment
    const ring = new KmsKeyRing(this, 'ring', {
      name: keyRing,
      location: region,
      lifecycle: irreplaceable,
      dependsOn: [...dependsOn],
    })
    new KmsCryptoKey(this, 'signing', {
      name: signingKey,
      keyRing: ring.id,
      purpose: 'ENCRYPT_DECRYPT',
      rotationPeriod: keyRotation,
      destroyScheduledDuration: keyDestruction,
      lifecycle: irreplaceable,
    })
  }

  #buckets(dependsOn: readonly TerraformResource[]): void {
    const { region } = this.environment
    const common = {
      location: region,
      uniformBucketLevelAccess: true,
      forceDestroy: false,
      dependsOn: [...dependsOn],
    }
    new StorageBucket(this, 'functions', {
      ...common,
      name: sourcesBucket(this.environment),
      publicAccessPrevention: 'enforced',
      versioning: { enabled: true },
    })
    const archives = new StorageBucket(this, 'archives', {
      ...common,
      name: archivesBucket(this.environment),
      publicAccessPrevention: 'inherited',
      versioning: { enabled: true },
    })
    // A VM fetches its programs before it has any credentials, and checks their SHA-256.
    new StorageBucketIamMember(this, 'archives-readable', {
      bucket: archives.name,
      role: 'roles/storage.objectViewer',
      member: 'allUsers',
    })
  }
}
