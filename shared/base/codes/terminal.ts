/** PT-608n: what `ptun doctor` finds on the way out, and what keeps a service, a log or an address from being used. */
import type { ErrorEntry } from '../errors.ts'

const usage = { http: 400, exit: 2, retry: 'never', owner: 'user' } as const
const way = { http: 503, exit: 1, retry: 'later', owner: 'user' } as const

export const terminalCodes = {
  'open.address': {
    code: 'PT-6083',
    ...usage,
    title: 'No page to open',
    cause: 'The tunnel has no address that a browser can open: it has none yet, or it is no http tunnel.',
    cure: 'Start it first (ptun http 3000); "ptun list" shows the address of every tunnel, for other programs.',
  },
  'server.name': {
    code: 'PT-6080',
    ...way,
    title: 'Name of the server not found',
    cause: 'The name servers of this machine do not know the name of the server, or do not answer.',
    cure: 'Check the spelling of the address; else check the network and the DNS of this machine, or try another network.',
  },
  'server.silent': {
    code: 'PT-6081',
    ...way,
    title: 'Server does not answer with a certificate',
    cause: 'Nothing at the address of the server completed a TLS handshake in time.',
    cure: 'See that a firewall lets this machine out to the host and port of the message, and that https is right there.',
  },
  'relay.silent': {
    code: 'PT-6082',
    ...way,
    title: 'Relay does not answer in time',
    cause: 'A connection to the relay got no answer within ten seconds.',
    cure: 'Let connections out to the host and port of the message, or set a proxy: docs/cli.md, "Behind a proxy".',
  },
  'service.system': {
    code: 'PT-6084',
    ...usage,
    title: 'No service manager that ptun knows',
    cause: 'ptun installs services of systemd (Linux) and of the signed-in user by launchd (macOS).',
    cure: 'Do what the message says; else let this system start "ptun start --config <file>" in the way that it has.',
  },
  'service.key': {
    code: 'PT-6085',
    http: 401,
    exit: 3,
    retry: 'never',
    owner: 'user',
    title: 'The service would not be signed in',
    cause:
      'A service does not get the variables of this shell, and ptun writes no key into the file of a service.',
    cure: 'Run ptun login, whose key the service can read. A service of the machine can have PTUN_KEY in /etc/ptun/environment.',
  },
  'service.refused': {
    code: 'PT-6086',
    http: 502,
    exit: 1,
    retry: 'later',
    owner: 'user',
    title: 'Service manager refused',
    cause: 'The service manager of this system could not be called, or did not do what ptun asked for.',
    cure: 'Do what its words in the message say. In a container, or over sudo and su, there is often no service manager of the user.',
  },
  'service.unfit': {
    code: 'PT-6087',
    ...usage,
    title: 'Not a service that ptun can install or remove',
    cause: 'The program, the user, a path or a file that is there already does not allow it.',
    cure: 'Do what the message says; "ptun service install --print" shows what would be written.',
  },
  'logs.none': {
    code: 'PT-6088',
    http: 404,
    exit: 1,
    retry: 'later',
    owner: 'user',
    title: 'No agent to follow',
    cause: 'No agent of this user runs on this machine, or it is of a release that cannot be followed.',
    cure: 'Start one (ptun http 3000), or look at the log of a service: "ptun service status" says where it is.',
  },
} as const satisfies Record<string, ErrorEntry>
