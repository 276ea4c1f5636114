/**
 * Configures who people are (Identity Platform), and the release's way in. Providers of social sign-in have
 * secrets that
 * the state would keep as text, and protection against enumeration has no resource; both are first steps.
 */
import { IamWorkloadIdentityPool } from '@cdktf/provider-google/lib/iam-workload-identity-pool/index.js'
import { IamWorkloadIdentityPoolProvider } from '@cdktf/provider-google/lib/iam-workload-identity-pool-provider/index.js'
import { IdentityPlatformConfig } from '@cdktf/provider-google/lib/identity-platform-config/index.js'
import { IdentityPlatformOauthIdpConfig } from '@cdktf/provider-google/lib/identity-platform-oauth-idp-config/index.js'
import { KmsCryptoKeyIamMember } from '@cdktf/provider-google/lib/kms-crypto-key-iam-member/index.js'
import { ProjectIamCustomRole } from '@cdktf/provider-google/lib/project-iam-custom-role/index.js'
import { ProjectIamMember } from '@cdktf/provider-google/lib/project-iam-member/index.js'
import { ServiceAccount } from '@cdktf/provider-google/lib/service-account/index.js'
import { ServiceAccountIamMember } from '@cdktf/provider-google/lib/service-account-iam-member/index.js'
import { StorageBucketIamMember } from '@cdktf/provider-google/lib/storage-bucket-iam-member/index.js'
import type { Construct } from 'constructs'
import {
  accounts,
  archivesBucket,
  releaseKeyPath,
  releaseWorkflow,
  sourcesBucket,
  stateBucket,
} from '../names.ts'
import { releaseRoles, releaser } from '../release-rights.ts'
import { PorttunnelerStack, type StackOptions } from './porttunneler-stack.ts'

/**
 * On the buckets of state, sources and archives alone: the account sees no export of a restore, which has everybody's
 * data, and can open no bucket to strangers. A release that changes a bucket itself stops at `apply`, for a person.
 */
const bucketRoles = ['roles/storage.objectAdmin', 'roles/storage.legacyBucketReader']

export class IdentityStack extends PorttunnelerStack {
  constructor(scope: Construct, options: StackOptions) {
    super(scope, 'identity', options)
    const { consoleHost, project, signInIssuers } = this.environment
    const config = new IdentityPlatformConfig(this, 'sign-in', {
      project,
      autodeleteAnonymousUsers: true,
      signIn: {
        allowDuplicateEmails: false,
        anonymous: { enabled: false },
        email: { enabled: true, passwordRequired: true },
        phoneNumber: { enabled: false },
      },
      authorizedDomains: [consoleHost, `${project}.firebaseapp.com`],
    })
    for (const { id, name, issuer, clientId } of signInIssuers)
      new IdentityPlatformOauthIdpConfig(this, `sign-in-${id}`, {
        project,
        name: `oidc.${id}`,
        displayName: name,
        enabled: true,
        issuer,
        clientId,
        responseType: { idToken: true },
        dependsOn: [config],
      })
    this.#release()
  }

  /**
   * GitHub's own tokens: there is no key that could be copied. They are taken from one workflow on the main branch of
   * this repository, in the GitHub environment of this name, whose reviewers have approved the run.
   */
  #release(): void {
    const { project, projectNumber, repository, name } = this.environment
    const ref = 'refs/heads/main'
    const condition = {
      repository,
      ref,
      environment: name,
      workflow_ref: `${repository}/${releaseWorkflow}@${ref}`,
    }
    const pool = new IamWorkloadIdentityPool(this, 'pool', {
      workloadIdentityPoolId: 'release',
      displayName: 'Releases',
    })
    new IamWorkloadIdentityPoolProvider(this, 'github', {
      workloadIdentityPoolId: pool.workloadIdentityPoolId,
      workloadIdentityPoolProviderId: 'github',
      attributeMapping: {
        'google.subject': 'assertion.sub',
        'attribute.repository': 'assertion.repository',
        'attribute.ref': 'assertion.ref',
        'attribute.environment': 'assertion.environment',
      },
      attributeCondition: Object.entries(condition)
        .map(([claim, value]) => `assertion.${claim} == '${value}'`)
        .join(' && '),
      oidc: { issuerUri: 'https://token.actions.githubusercontent.com' },
    })
    const account = new ServiceAccount(this, 'release', {
      accountId: accounts.release,
      displayName: 'PortTunneler releases',
    })
    new ServiceAccountIamMember(this, 'release-by-github', {
      serviceAccountId: account.name,
      role: 'roles/iam.workloadIdentityUser',
      member: `principalSet://iam.googleapis.com/projects/${projectNumber}/locations/global/workloadIdentityPools/release/attribute.repository/${repository}`,
    })
    new KmsCryptoKeyIamMember(this, 'release-signs', {
      cryptoKeyId: releaseKeyPath(this.environment),
      role: 'roles/cloudkms.signer',
      member: `serviceAccount:${account.email}`,
    })
    const { roleId, title, permissions } = releaser
    const own = new ProjectIamCustomRole(this, roleId, { roleId, title, permissions: [...permissions] })
    const labelled = Object.keys(releaseRoles).map((role) => [role.split('/')[1], role] as const)
    for (const [label, role] of [...labelled, [roleId, own.name] as const])
      new ProjectIamMember(this, `release-${label}`, {
        project,
        role,
        member: `serviceAccount:${account.email}`,
      })
    const buckets = {
      state: stateBucket(this.environment),
      sources: sourcesBucket(this.environment),
      archives: archivesBucket(this.environment),
    }
    for (const [label, bucket] of Object.entries(buckets))
      for (const role of bucketRoles)
        new StorageBucketIamMember(this, `release-${label}-${role.split('.')[1]}`, {
          bucket,
          role,
          member: `serviceAccount:${account.email}`,
        })
  }
}
