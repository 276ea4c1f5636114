/**
 * What the system may refuse, and what each program does then. docs/reliability.md shows this table, and
 * refusals.test.ts tries every cell on real programs, or names the test that covers it.
 */

export const programs = ['relay', 'agent', 'server'] as const
export type ProgramName = (typeof programs)[number]

export type Refusal = {
  readonly name: string
  /** What is missing, and how a test removes it. */
  readonly what: string
} & Readonly<Record<ProgramName, string>>

const known = {
  output: 'lives on; lines that could not be written are counted and said by the next that can',
} as const

export const refusals: readonly Refusal[] = [
  {
    name: 'descriptors',
    what: 'no free descriptors (EMFILE, ENFILE)',
    relay:
      'new connections are closed at accept, what is open goes on; all come in again when descriptors are free. At the start: PT-5023',
    agent: 'new visitors hear PT-6044, what is open goes on',
    server: 'new calls are closed at accept; a relay that cannot be started is started later',
  },
  {
    name: 'disk',
    what: 'a full disk (ENOSPC)',
    relay: 'serves, keeps usage in memory and says PT-5010; written when there is room',
    agent: 'goes on without its state and says so; kept as soon as there is room',
    server: 'writes fail with PT-5201 or its kin, reads and tunnels go on; logs say how many lines they lost',
  },
  {
    name: 'memory',
    what: "short memory, of the machine or of V8's heap",
    relay:
      'admits nobody new and closes idle connections before the limit, which is fatal; at the start: PT-5024',
    agent:
      'takes as many visitors as V8’s heap can hold, then the tunnel and visitor with most yields (PT-3015); keeps 256 MiB of their bytes at most, or a quarter of the machine’s memory',
    server: 'a process that cannot be started for want of memory is started later',
  },
  {
    name: 'output',
    what: 'stdout closed, full, or without a reader (EPIPE, ENOSPC, EIO)',
    relay: known.output,
    agent: `${known.output} (\`output.lost\`)`,
    server: known.output,
  },
  {
    name: 'home',
    what: 'a user id without passwd entry, and no HOME',
    relay: 'needs neither',
    agent: 'runs without state and says so (`state.lost`); PTUN_KEY signs it in',
    server: 'needs neither',
  },
  {
    name: 'state',
    what: 'a folder that takes no writes (EROFS, EACCES)',
    relay: 'does not start, with PT-5003; once it runs: as with a full disk',
    agent: 'runs without state and says so (`state.lost`)',
    server: 'does not start, with the code and the cure of its folder (PT-5105)',
  },
  {
    name: 'clock',
    what: 'a wall clock that is set, by an hour or by 20 years',
    relay: 'goes by the time of the control plane; PT-5022 says so',
    agent:
      'no wait is longer for it, leases are asked for at once; certificates out of time: PT-3031, PT-6038',
    server:
      'its children are started again as before; stored times that lie too far ahead begin anew (docs/operations.md)',
  },
]
