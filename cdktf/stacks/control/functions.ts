/** The functions, as functions/deployment.ts says, and what calls each. */
import { CloudRunV2ServiceIamMember } from '@cdktf/provider-google/lib/cloud-run-v2-service-iam-member/index.js'
import { CloudSchedulerJob } from '@cdktf/provider-google/lib/cloud-scheduler-job/index.js'
import { Cloudfunctions2Function } from '@cdktf/provider-google/lib/cloudfunctions2-function/index.js'
import { Construct } from 'constructs'
import { type Deployment, deployments } from '../../../functions/deployment.ts'
import { functionVariables } from '../../function-variables.ts'
import { accounts, functionAccounts, functionsObject, sourcesBucket } from '../../names.ts'
import type { PorttunnelerStack } from '../porttunneler-stack.ts'
import type { Accounts } from './accounts.ts'
import type { Messages } from './messages.ts'
import type { Secrets } from './secrets.ts'

type FunctionName = keyof typeof functionAccounts
type Parts = { readonly accounts: Accounts; readonly messages: Messages; readonly secrets: Secrets }

export class Functions extends Construct {
  readonly #stack: PorttunnelerStack
  readonly #parts: Parts

  constructor(stack: PorttunnelerStack, parts: Parts) {
    super(stack, 'functions')
    this.#stack = stack
    this.#parts = parts
    for (const [name, deployment] of Object.entries(deployments))
      this.#function(name as FunctionName, deployment)
  }

  #function(name: FunctionName, deployment: Deployment): void {
    const { region } = this.#stack.environment
    const made = new Cloudfunctions2Function(this, name, {
      name,
      location: region,
      description: `PortTunneler: called by ${deployment.trigger}`,
      buildConfig: this.#build(name),
      serviceConfig: {
        availableMemory: `${deployment.memoryMiB}Mi`,
        availableCpu: `${deployment.cpu}`,
        maxInstanceRequestConcurrency: deployment.concurrency,
        minInstanceCount: deployment.minInstances,
        maxInstanceCount: deployment.maxInstances,
        timeoutSeconds: deployment.timeoutSeconds,
        ingressSettings: 'ALLOW_ALL',
        // A release moves calls to a new revision bit by bit. With true, applying would move all of them at once.
        allTrafficOnLatestRevision: false,
        serviceAccountEmail: this.#parts.accounts.byName.get(functionAccounts[name])?.email ?? '',
        environmentVariables: functionVariables(this.#stack.environment),
        secretEnvironmentVariables: this.#parts.secrets.of(name).map(({ key, secret, version }) => ({
          key,
          projectId: this.#stack.environment.projectNumber,
          secret,
          version,
        })),
      },
      ...this.#trigger(deployment),
    })
    this.#callers(name, deployment, made)
  }

  #build(name: FunctionName) {
    const { functionsArchiveSha256 } = this.#stack.environment
    return {
      runtime: 'nodejs24',
      entryPoint: name,
      serviceAccount: this.#parts.accounts.byName.get(accounts.build)?.id ?? '',
      source: {
        storageSource: {
          bucket: sourcesBucket(this.#stack.environment),
          object: functionsObject(functionsArchiveSha256),
        },
      },
    }
  }

  #trigger({ trigger, retry }: Deployment) {
    const topic =
      trigger === 'topic ptun.events'
        ? this.#parts.messages.events
        : trigger === 'topic ptun.jobs'
          ? this.#parts.messages.jobs
          : undefined
    if (!topic) return {}
    return {
      eventTrigger: {
        eventType: 'google.cloud.pubsub.topic.v1.messagePublished',
        triggerRegion: this.#stack.environment.region,
        pubsubTopic: topic.id,
        retryPolicy: retry ? 'RETRY_POLICY_RETRY' : 'RETRY_POLICY_DO_NOT_RETRY',
        serviceAccountEmail: this.#parts.accounts.byName.get(accounts.trigger)?.email ?? '',
      },
    }
  }

  #callers(name: FunctionName, { trigger }: Deployment, made: Cloudfunctions2Function): void {
    const caller =
      { everybody: undefined, scheduler: accounts.scheduler }[trigger as string] ?? accounts.trigger
    new CloudRunV2ServiceIamMember(this, `${name}-invoker`, {
      location: this.#stack.environment.region,
      name: made.serviceConfig.service,
      role: 'roles/run.invoker',
      member: trigger === 'everybody' ? 'allUsers' : this.#parts.accounts.member(caller),
    })
    if (trigger === 'scheduler') this.#schedule(name, made)
  }

  #schedule(name: FunctionName, made: Cloudfunctions2Function): void {
    const { uri } = made.serviceConfig
    new CloudSchedulerJob(this, 'minutely', {
      name: 'porttunneler-schedule',
      description: 'Jobs that are due',
      region: this.#stack.environment.region,
      schedule: '* * * * *',
      timeZone: 'Etc/UTC',
      // Not shorter than the function's own: Google's default of 180 s would call it failed, and call again.
      attemptDeadline: `${deployments[name]?.timeoutSeconds}s`,
      retryConfig: { retryCount: 0 },
      httpTarget: {
        httpMethod: 'POST',
        uri,
        oidcToken: {
          serviceAccountEmail: this.#parts.accounts.byName.get(accounts.scheduler)?.email ?? '',
          audience: uri,
        },
      },
    })
  }
}
