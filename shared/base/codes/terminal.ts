/** PT-608n: what `ptun doctor` finds on the way out, and what keeps a service, a log or an address from being used. */
import type { ErrorEntry } from '../errors.ts'

const way = { http: 503, exit: 1, retry: 'later', owner: 'user' } as const

export const terminalCodes = {
  'open.address': {
    code: 'PT-6083',
    http: 400,
    exit: 2,
    retry: 'never',
    owner: 'user',
    title: 'No page to open',
    cause: 'The tunnel has no address that a browser can open: it has none yet, or it is no http tunnel.',
    cure: 'Start it first (ptun http 3000); "ptun list" shows the address of every tunnel, to use in other programs.',
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
} as const satisfies Record<string, ErrorEntry>
