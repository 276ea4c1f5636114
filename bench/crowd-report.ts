/** The output of bench/many-tunnels.ts. */

type Spent = { readonly seconds: number; readonly cpuSeconds: number }

export type Figures = {
  readonly agents: number
  /** How many each agent has. */
  readonly tunnels: number
  /** How many were there when memory was first measured. */
  readonly firstAgents: number
  readonly bytes: {
    readonly first: number
    readonly all: number
    readonly renewed: number
  }
  readonly coming: Spent
  readonly idle: Spent
  /** Renewals of every tunnel once, all at the same time. */
  readonly renewing: Spent
  /** Seconds from the kill of the relay on, and CPU and memory of the new process. undefined: not killed yet. */
  readonly restart?: {
    readonly listening: number
    readonly half: number
    readonly all: number
    readonly cpuSeconds: number
    readonly bytes: number
  }
  /** How long a ticket is valid. */
  readonly ticketMs: number
}

export function tunnelsTable(figures: Figures): string {
  const { agents, tunnels, firstAgents, bytes, coming, idle, renewing, restart, ticketMs } = figures
  const came = agents - firstAgents
  const bound = agents * tunnels
  const renewalMs = (renewing.cpuSeconds / bound) * 1_000
  // A ticket is renewed at half its life, as agents do.
  const renewalsASecond = bound / (ticketMs / 2_000)
  const rows = [
    [`relay with ${firstAgents} agents`, megabytes(bytes.first)],
    [`relay with ${agents} agents and ${bound} tunnels`, megabytes(bytes.all)],
    ['an agent with its tunnels', `${((bytes.all - bytes.first) / came / 1_000).toFixed(1)} KB`],
    ['after all were renewed', megabytes(bytes.renewed)],
    [
      'agents coming',
      `${(came / coming.seconds).toFixed(0)} a second, ${((coming.cpuSeconds / came) * 1_000).toFixed(2)} ms of CPU each`,
    ],
    ['heartbeats of all', `${((idle.cpuSeconds / idle.seconds) * 1_000).toFixed(0)} ms of CPU a second`],
    [
      'a renewal',
      `${renewalMs.toFixed(2)} ms of CPU; ${(bound / renewing.seconds).toFixed(0)} a second at once`,
    ],
    ['renewals of all, spread', `${(renewalsASecond * renewalMs).toFixed(1)} ms of CPU a second`],
    ...(restart ? restartRows(restart) : []),
  ]
  return ['| | |', '|---|---|', ...rows.map(([name, value]) => `| ${name} | ${value} |`)].join('\n')
}

function restartRows({ listening, half, all, cpuSeconds, bytes }: NonNullable<Figures['restart']>) {
  return [
    ['killed: until it listens again', `${listening.toFixed(1)} s`],
    ['killed: until half is served', `${half.toFixed(1)} s`],
    ['killed: until all are served', `${all.toFixed(1)} s, ${cpuSeconds.toFixed(1)} s of CPU`],
    ['relay after the restart', megabytes(bytes)],
  ]
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`
}
