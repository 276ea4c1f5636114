/**
 * Secrets of the functions. Their values pass through Terraform without a trace: they come by ephemeral variables, at
 * plan and again at apply, and the provider writes them without keeping them in state or plan.
 */
import { SecretManagerSecret } from '@cdktf/provider-google/lib/secret-manager-secret/index.js'
import { SecretManagerSecretIamMember } from '@cdktf/provider-google/lib/secret-manager-secret-iam-member/index.js'
import { SecretManagerSecretVersion } from '@cdktf/provider-google/lib/secret-manager-secret-version/index.js'
import { TerraformVariable } from 'cdktf'
import { Construct } from 'constructs'
import { functionAccounts } from '../../names.ts'
import { secrets } from '../../secrets.ts'
import type { PorttunnelerStack } from '../porttunneler-stack.ts'
import type { Accounts } from './accounts.ts'

type FunctionName = keyof typeof functionAccounts

export class Secrets extends Construct {
  /** By function: which variables come from which secrets, in the version that is in force. */
  readonly #of = new Map<FunctionName, { key: string; secret: string; version: string }[]>()

  constructor(stack: PorttunnelerStack, accounts: Accounts) {
    super(stack, 'secrets')
    const { secretVersion } = stack.environment
    for (const [key, { id, variable, readers }] of Object.entries(secrets)) {
      const input = new TerraformVariable(stack, variable, {
        type: 'string',
        sensitive: true,
        nullable: false,
      })
      // The binding has no such argument.
      input.addOverride('ephemeral', true)
      const secret = new SecretManagerSecret(this, id, {
        secretId: id,
        replication: { auto: {} },
        deletionProtection: true,
      })
      const version = new SecretManagerSecretVersion(this, `${id}-version`, {
        secret: secret.id,
        secretDataWo: input.stringValue,
        secretDataWoVersion: secretVersion,
        deletionPolicy: 'DISABLE',
        lifecycle: { createBeforeDestroy: true },
      })
      for (const reader of readers) {
        new SecretManagerSecretIamMember(this, `${id}-${reader}`, {
          secretId: secret.id,
          role: 'roles/secretmanager.secretAccessor',
          member: accounts.member(functionAccounts[reader]),
        })
        this.#of.set(reader, [...this.of(reader), { key, secret: secret.secretId, version: version.version }])
      }
    }
  }

  of(
    name: FunctionName,
  ): readonly { readonly key: string; readonly secret: string; readonly version: string }[] {
    return this.#of.get(name) ?? []
  }
}
