/** Everybody who hears of an agent: who looks at the terminal, `ptun logs`, and the keeper of own domains. */
import { EventSocket } from '../agent/event-socket.ts'
import type { AgentEvent, AgentSnapshot } from '../agent/events.ts'
import type { WantedTunnel } from '../agent/tunnels.ts'
import { followAlerts } from '../alert-notice.ts'
import { type Connection, type Context, warn } from '../context.ts'
import type { AgentOutput } from '../output/agent-output.ts'
import { updateNotice } from '../update-notice.ts'
import { type LeadingOutput, openLeadingOutput } from './domain-keeper.ts'
import { type Inspection, terminalOf } from './inspect.ts'

type Telling = {
  readonly context: Context
  readonly connection: Connection
  readonly wanted: readonly WantedTunnel[]
  /** Addresses are shown as pictures, too. */
  readonly qr: boolean
  readonly inspection: Inspection
}

export type ToldOutput = LeadingOutput & {
  /** What `ptun logs` reads, once it listens. */
  readonly log: EventSocket
}

/** @param snapshot is called once something is shown */
export function openToldOutput(
  { context, connection, wanted, qr, inspection }: Telling,
  snapshot: () => AgentSnapshot,
): ToldOutput {
  const log = new EventSocket(context.clock)
  const output = openLeadingOutput(
    { context, connection, wanted, inspection: () => terminalOf(inspection) },
    snapshot,
  )
  void tellUpdate(context, connection, output)
  const alerts = followAlerts(context, connection.client, (lines) => output.print(lines))
  return {
    ...output,
    log,
    close() {
      alerts.close()
      output.close()
    },
    onEvent(event: AgentEvent) {
      output.onEvent(event)
      log.take(event)
      if (qr && event.event === 'tunnel.online') showQr(context, event.url, output)
    },
  }
}

/** Loading its code needs a descriptor; an address without its picture is still an address. */
function showQr(context: Context, url: string, output: Pick<AgentOutput, 'qr'>): void {
  import('uqr')
    .then(({ renderUnicodeCompact }) => output.qr(url, renderUnicodeCompact(url).split('\n')))
    .catch((error: unknown) => warn(context, `No QR code: ${error}`))
}

/** Nobody waits for it. */
async function tellUpdate(
  context: Context,
  { server, client }: Connection,
  output: Pick<AgentOutput, 'print'>,
): Promise<void> {
  const notice = await updateNotice(context, { server, client })
  if (notice !== undefined) output.print([notice])
}
