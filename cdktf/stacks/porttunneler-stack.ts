import { CloudflareProvider } from '@cdktf/provider-cloudflare/lib/provider/index.js'
import { GoogleProvider } from '@cdktf/provider-google/lib/provider/index.js'
import { GcsBackend, LocalBackend, TerraformStack } from 'cdktf'
import type { Construct } from 'constructs'
import type { Environment } from '../environment.ts'
import { stateBucket } from '../names.ts'

export type StackOptions = {
  readonly environment: Environment
  /** Tests keep Terraform's state in this folder; else it is in the environment's bucket, which a first step makes. */
  readonly stateFolder?: string
}

/** Gives every stack what all have: the environment, the provider, a place for the state. */
export abstract class PorttunnelerStack extends TerraformStack {
  readonly environment: Environment

  constructor(scope: Construct, name: string, { environment, stateFolder }: StackOptions) {
    super(scope, name)
    this.environment = environment
    const { project, region, name: environmentName } = environment
    new GoogleProvider(this, 'google', {
      project,
      region,
      userProjectOverride: true,
      billingProject: project,
      defaultLabels: { service: 'porttunneler', environment: environmentName },
    })
    if (stateFolder !== undefined) new LocalBackend(this, { path: `${stateFolder}/${name}.tfstate` })
    else new GcsBackend(this, { bucket: stateBucket(environment), prefix: name })
  }
}

/** The token is read from CLOUDFLARE_API_TOKEN, so that it is in no file. */
export function useCloudflare(stack: PorttunnelerStack): void {
  new CloudflareProvider(stack, 'cloudflare', {})
}

/** Destroying it would lose what cannot be made again: data, keys, addresses that people have in their DNS. */
export const irreplaceable = { preventDestroy: true } as const
