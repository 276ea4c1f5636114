/**
 * Commands by Pub/Sub, from the subscription that the infrastructure made for this relay's slot. They come at least
 * once and in any order, which does not matter. Without this they come by `sync`, so trouble here is logged and never
 * stops the relay. Loaded only where it is configured: the SDK takes 24 MB.
 */
import { PubSub, v1 } from '@google-cloud/pubsub'
import { type Command, commandSchema } from '@porttunneler/shared/api/schemas/relays'
import type { Clock } from '@porttunneler/shared/base/clock'
import { codes, fail } from '@porttunneler/shared/base/errors'
import type { Log } from '@porttunneler/shared/base/log'
import { type Delivery, Pull } from '@porttunneler/shared/base/pull'
import type { CommandSource } from './commands.ts'
import { pullReports } from './pull-reports.ts'

export type PubsubCommandsOptions = {
  readonly project: string
  /** Its id in the project. */
  readonly subscription: string
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
}

/** gRPC waits up to two minutes before it dials again; that is too long for commands. */
const dialAgainMsMax = 5_000
export async function pubsubCommands(options: PubsubCommandsOptions): Promise<CommandSource> {
  const { project: projectId, subscription: id, clock, random, log } = options
  const config = await new PubSub({ projectId }).getClientConfig()
  const client = new v1.SubscriberClient({ ...config, 'grpc.max_reconnect_backoff_ms': dialAgainMsMax })
  const subscription = `projects/${projectId}/subscriptions/${id}`
  let pull: Pull | undefined
  return {
    start(onCommand) {
      pull = new Pull({
        client,
        subscription,
        clock,
        random,
        handle: (delivery) => take(delivery, log, onCommand),
        ...pullReports(log.child({ subscription })),
      })
    },
    async close() {
      await pull?.close()
      await client.close()
    },
  }
}

/**
 * @throws relay.command for a message that no version of this relay would understand: it ends among the dead letters
 */
function take({ id, text }: Delivery, log: Log, onCommand: (command: Command) => void): void {
  const { code } = codes['relay.command']
  const sent = parseJson(text)
  const parsed = commandSchema.safeParse(sent)
  const kind = kindOf(sent)
  if (parsed.success) {
    onCommand(parsed.data)
  } else if (kind !== undefined && !kinds.has(kind)) {
    log.warn({ code, message: id, kind }, 'A command of a newer release is ignored')
  } else {
    log.error({ code, message: id, issues: parsed.error.issues }, 'A message is no command and is put aside')
    throw fail('relay.command')
  }
}

const kinds: ReadonlySet<string> = new Set(commandSchema.options.map(({ shape }) => shape.kind.value))

function kindOf(sent: unknown): string | undefined {
  const hasKind = typeof sent === 'object' && sent !== null && 'kind' in sent
  return hasKind && typeof sent.kind === 'string' ? sent.kind : undefined
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The schema says it; it accepts no undefined.
    return undefined
  }
}
