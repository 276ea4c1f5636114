/**
 * PT-51nn: starting and running the standalone server (one machine, one data folder). With exit code 2 nothing runs.
 */
import type { ErrorEntry } from '../errors.ts'

const atStart = { http: 500, exit: 2, retry: 'never', owner: 'operator' } as const

export const standaloneCodes = {
  'standalone.config': {
    code: 'PT-5101',
    ...atStart,
    title: 'Configuration not valid',
    cause: 'A setting in standalone.yaml, in the environment or on the command line is not what it must be.',
    cure: 'Correct what the message names; docs/operations.md lists all settings with their defaults.',
  },
  'standalone.port_taken': {
    code: 'PT-5102',
    ...atStart,
    title: 'Port taken',
    cause: 'Another program uses a port that the server needs.',
    cure: 'Stop that program (ss -ltnp shows it), or choose another port under "ports" in standalone.yaml.',
  },
  'standalone.port_denied': {
    code: 'PT-5103',
    ...atStart,
    title: 'Port not allowed',
    cause: 'The system lets only privileged programs listen on this port.',
    cure: 'Choose a port above 1023, or give Node the right: setcap cap_net_bind_service=+ep on its binary.',
  },
  'standalone.address': {
    code: 'PT-5104',
    ...atStart,
    title: 'Address not of this machine',
    cause: 'The bind address does not belong to any network interface here.',
    cure: 'Set "bind" to 127.0.0.1 (this machine only), 0.0.0.0 (every interface) or an address of this machine.',
  },
  'standalone.folder': {
    code: 'PT-5105',
    ...atStart,
    title: 'Data folder cannot be used',
    cause: 'The data folder cannot be made, read or written by this user.',
    cure: 'Do what the message says, or choose another folder with --data or PORTTUNNELER_DATA.',
  },
  'standalone.running': {
    code: 'PT-5106',
    ...atStart,
    title: 'Already running',
    cause: 'Another server uses the same data folder.',
    cure: 'Use the running server, stop it first, or give this one its own folder with --data.',
  },
  'standalone.console': {
    code: 'PT-5107',
    ...atStart,
    title: 'Console not built',
    cause: 'The files of the web console cannot be read, or are missing: web/dist has no index.html.',
    cure: 'Do what the message says. Where files are missing, "npm run build -w web" builds them; "npm start" does that by itself.',
  },
  'standalone.relay': {
    code: 'PT-5108',
    ...atStart,
    title: 'Relay did not start',
    cause: 'The relay process ended or stayed silent before it was ready to serve.',
    cure: 'The detail and relay.log in the data folder say why; mend that and start again.',
  },
  'standalone.demo': {
    code: 'PT-5109',
    http: 503,
    exit: 1,
    retry: 'later',
    owner: 'operator',
    title: 'Demo tunnels not up',
    cause: 'The demo agent did not start its tunnels in time. Everything else works.',
    cure: 'demo-agent.log in the data folder says why; "demo: false" in standalone.yaml starts without it.',
  },
  'standalone.readable': {
    code: 'PT-5110',
    ...atStart,
    title: 'Others can read a password',
    cause: 'standalone.yaml holds a password, and other users of this machine can read the file.',
    cure: 'Run chmod 600 on the file, and change the password if others use this machine. Or set it in the environment instead, as PORTTUNNELER_MAIL_SMTP.',
  },
  'standalone.listen': {
    code: 'PT-5111',
    ...atStart,
    title: 'The server cannot listen',
    cause: 'The system refused to open a port, and not because it is taken or not allowed.',
    cure: 'Do what the message says, and start again.',
  },
  'standalone.authority': {
    code: 'PT-5112',
    ...atStart,
    title: 'Local authority cannot be read',
    cause:
      'The file of the local certificate authority in the data folder is damaged, or of another program.',
    cure: 'Put the file back from a backup. Without one, delete the folder "ca" in the data folder and run "npm run trust"; the root of before stays in the stores of this machine, where its name begins with "PortTunneler local authority".',
  },
  'standalone.trust': {
    code: 'PT-5113',
    ...atStart,
    title: 'The machine was not told to trust this server',
    cause:
      '"npm run trust" was called with something it does not know, or one of the commands that it shows failed.',
    cure: 'Do what the message says, and run it again: what is there already stays as it is. "npm run trust -- --undo" takes everything out.',
  },
} as const satisfies Record<string, ErrorEntry>
