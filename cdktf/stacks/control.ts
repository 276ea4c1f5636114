/** The control plane: functions, database, messages, secrets, and whom they run as. */
import type { Construct } from 'constructs'
import { Accounts } from './control/accounts.ts'
import { Database } from './control/database.ts'
import { Functions } from './control/functions.ts'
import { Messages } from './control/messages.ts'
import { Secrets } from './control/secrets.ts'
import { PorttunnelerStack, type StackOptions } from './porttunneler-stack.ts'

export class ControlStack extends PorttunnelerStack {
  constructor(scope: Construct, options: StackOptions) {
    super(scope, 'control', options)
    const accounts = new Accounts(this)
    for (const name of this.environment.databases) new Database(this, name)
    const messages = new Messages(this, accounts)
    const secrets = new Secrets(this, accounts)
    new Functions(this, { accounts, messages, secrets })
  }
}
