/** The Debian packages that we make: what is in each beside the tree of tree.ts, and how its unit behaves. */
import { join } from 'node:path'
import { makeAgentTree, makeServerTree } from './tree.ts'

export type Deb = {
  readonly name: string
  readonly summary: string
  readonly description: readonly string[]
  /** The service's user, and the name of its folders below /var. */
  readonly user: string
  readonly unit: string
  /** What the running unit is told after an upgrade. */
  readonly upgrade: 'reload' | 'restart'
  /** Where the tree is. */
  readonly home: string
  readonly makeTree: (folder: string) => Promise<void>
  /** Commands for people, as scripts in /usr/bin. */
  readonly commands: Readonly<Record<string, readonly string[]>>
  /** Where people put settings and keys of their own; a purge deletes it. */
  readonly settingsFolder?: string
  /** Settings that dpkg keeps when somebody has changed them; by their place. */
  readonly settings: Readonly<Record<string, string>>
}

const here = import.meta.dirname

export const debs = {
  server: {
    name: 'porttunneler-server',
    summary: 'tunnel service that gets past NAT: control plane, relay and console',
    description: [
      'Gives local ports public addresses through any NAT or firewall that lets',
      'connections out: accounts, keys, a console with live figures, and the relay.',
      'Until it has settings it can be reached only from its own machine.',
      '.',
      'Node.js comes along: Debian has none that is new enough.',
    ],
    user: 'porttunneler',
    unit: 'porttunneler.service',
    upgrade: 'reload',
    home: 'usr/lib/porttunneler',
    makeTree: makeServerTree,
    commands: {
      ptunctl: [
        'set -- /usr/lib/porttunneler/node/bin/node /usr/lib/porttunneler/standalone/ptunctl.js "$@"',
        '# The caller knows what to do with another data folder.',
        'if [ -n "$PORTTUNNELER_DATA" ]; then exec "$@"; fi',
        'case "$*" in *" --data"*) exec "$@" ;; esac',
        'export PORTTUNNELER_DATA=/var/lib/porttunneler',
        '# Files of root in the data folder would be closed to the server. The audit still says who it was.',
        'if [ "$(id -u)" = 0 ]; then',
        '  [ -n "$PTUNCTL_OPERATOR" ] || PTUNCTL_OPERATOR="$SUDO_USER"',
        '  [ -n "$PTUNCTL_OPERATOR" ] || PTUNCTL_OPERATOR=root',
        '  export PTUNCTL_OPERATOR',
        '  set -- setpriv --reuid porttunneler --regid porttunneler --clear-groups "$@"',
        'fi',
        'exec "$@"',
      ],
    },
    settings: { 'etc/default/porttunneler': join(here, 'debian/porttunneler.default') },
  },
  agent: {
    name: 'ptun',
    summary: 'public address for a local port, through any NAT',
    description: [
      'The agent of PortTunneler. It runs by hand, or as a service with the tunnels',
      'of /etc/ptun/ptun.yaml.',
      '.',
      'Node.js comes along: Debian has none that is new enough.',
    ],
    user: 'ptun',
    unit: 'ptun.service',
    // Its tunnels keep their addresses, and open connections get ten seconds.
    upgrade: 'restart',
    home: 'usr/lib/ptun',
    makeTree: makeAgentTree,
    commands: { ptun: ['exec /usr/lib/ptun/node/bin/node /usr/lib/ptun/cli/ptun.js "$@"'] },
    settingsFolder: 'etc/ptun',
    settings: {},
  },
} as const satisfies Readonly<Record<string, Deb>>
