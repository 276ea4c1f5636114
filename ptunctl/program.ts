/** The command line of ptunctl: every verb with its options, and its act. */
import type { ActName } from '@porttunneler/shared/control/operator/acts'
import { Command, type OutputConfiguration } from 'commander'
import { addReports, addTunnels } from './abuse-verbs.ts'
import { because, limited, readFlagValue, readList, readNumber, readRange, readTime } from './arguments.ts'
import { addCompliance, addRetention } from './keeping-verbs.ts'
import { addLogs } from './logs.ts'
import { addBilling, addPlans, type Verb } from './money-verbs.ts'

export type Globals = { readonly data?: string; readonly json?: boolean; readonly as?: string }
/** What ptunctl does by itself, without the control plane. */
export type OwnAct = 'audit.check' | 'backup.create' | 'backup.check' | 'backup.restore'
/** Runs one act. */
export type Run = (globals: Globals, act: ActName | OwnAct, input: object) => Promise<void>

const globalOptions = ['data', 'json', 'as']

export function buildProgram(run: Run, output: OutputConfiguration): Command {
  const program = new Command('ptunctl')
    .description('Runs a PortTunneler service: cells, relays, accounts, jobs, audit, keys.')
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    .option('--data <folder>', 'data folder of a standalone server (or PORTTUNNELER_DATA, ./data)')
    .option('--json', 'one JSON value instead of text')
    .option('--as <name>', 'who acts, for the audit (or PTUNCTL_OPERATOR, your user name)')
    .addHelpText('after', helpText)
  const groupOf = (name: string, description: string): Verb => {
    const group = program.command(name).description(description).helpCommand(false)
    return (act, words, said, options) => {
      const command = group.command(words, options).description(said)
      return command.action(async () => {
        const all = command.optsWithGlobals()
        const names = command.registeredArguments.map((argument) => argument.name())
        const given = Object.fromEntries(
          names.map((argument, index) => [argument, command.processedArgs[index]]),
        )
        const own = Object.entries(all).filter(([key]) => !globalOptions.includes(key))
        await run(all, act, inputOf({ ...given, ...Object.fromEntries(own) }))
      })
    }
  }
  addCells(groupOf('cells', 'where tunnels are served: a host, a domain, a range of ports'))
  addRelays(groupOf('enrolment', 'one-time keys for new relays'), groupOf('relays', 'relay processes'))
  addAccounts(groupOf('accounts', 'customers: look up, suspend, change the plan'))
  addPeople(groupOf('people', 'those who sign in'), groupOf('members', 'who belongs to an account'))
  addTunnels(groupOf('tunnels', 'which tunnel an address is, and taking it down'))
  addReports(groupOf('reports', 'what people reported for abuse'))
  addNotes(groupOf('notes', 'what operators wrote about people and accounts'))
  addMails(groupOf('mails', 'addresses that mails go to'))
  addAlerts(groupOf('alerts', 'what is wrong with the service'))
  addJobs(groupOf('jobs', 'what happens later'))
  addCertificates(groupOf('certificates', 'what browsers trust the names of this service by'))
  addAudit(groupOf('audit', 'who did what, and proof that nobody has changed it since'))
  addLogs(groupOf('logs', 'what relays, control plane and functions have said'))
  addKeys(groupOf('keys', 'keys that sign tickets'))
  addBilling(groupOf('billing', 'what is sold, by Stripe'))
  addPlans(groupOf('plans', 'what accounts may use, and what it costs'))
  addFlags(groupOf('flags', 'features that accounts get bit by bit, and the switch that takes one from all'))
  addInvites(
    groupOf('invites', 'codes for new accounts, while these are by invitation'),
    groupOf('waitlist', 'people who asked for one'),
  )
  limited(
    groupOf('feedback', 'what people told you')('feedback.list', 'list', 'list it, the newest first'),
    50,
  )
  addSecrets(groupOf('secrets', 'what the key of the vault has sealed'))
  addBackup(groupOf('backup', 'copies of a standalone server, and the way back from one'))
  addRetention(
    groupOf('retention', 'what is kept how long, and what went'),
    groupOf('holds', 'what a law or a court wants kept'),
  )
  addCompliance(groupOf('compliance', 'what auditors ask for'))
  addOperators(groupOf('operators', 'people who may act as operators through the service'))
  quiet(program, output)
  return program
}

const helpText = `
It works on the data folder of a standalone server, whether or not that runs, or, with GOOGLE_CLOUD_PROJECT and the
other variables of the functions, on a project of Google Cloud with your own credentials.

First steps:
  ptunctl cells list
  ptunctl enrolment create home
`

/** Turns two words of the command line into two fields. */
function inputOf({ ports, ...given }: Readonly<Record<string, unknown>>): object {
  return { ...given, ...(Array.isArray(ports) && { portFrom: ports[0], portTo: ports[1] }) }
}

function addCells(verb: Verb): void {
  verb('cells.list', 'list', 'list cells')
  verb('cells.create', 'create', 'make a cell, with a place for each of its ports')
    .argument('<id>', 'small letters, digits and hyphens')
    .requiredOption('--host <name>', 'host of tcp endpoints')
    .requiredOption('--domain <name>', 'parent of http and tls endpoints')
    .option('--ports <from-to>', 'public ports of tcp endpoints', readRange, [20_000, 20_999])
    .option('--http-scheme <scheme>', 'what visitors of http endpoints type', 'https')
    .option('--http-port <port>', 'port of http endpoints', readNumber, 443)
    .option('--tls-port <port>', 'port of tls endpoints, and of agents', readNumber, 443)
    .option(
      '--addresses <list>',
      'public addresses of a balancer in front of the relays, with commas between them',
      readList,
    )
  verb(
    'cells.change',
    'change',
    'change a cell; ports outside a smaller range are withheld once they are free',
  )
    .argument('<id>')
    .option('--host <name>', 'host of tcp endpoints')
    .option('--domain <name>', 'parent of http and tls endpoints')
    .option('--ports <from-to>', 'public ports of tcp endpoints', readRange)
    .option('--http-scheme <scheme>', 'what visitors of http endpoints type')
    .option('--http-port <port>', 'port of http endpoints', readNumber)
    .option('--tls-port <port>', 'port of tls endpoints', readNumber)
    .option(
      '--addresses <list>',
      'public addresses of a balancer in front of the relays, with commas between them; none of them: ""',
      readList,
    )
  verb('cells.close', 'close', 'give it no new tunnels; those it has stay').argument('<id>')
  verb('cells.open', 'open', 'give a closed cell tunnels again').argument('<id>')
}

function addRelays(enrolment: Verb, relays: Verb): void {
  enrolment('enrolment.create', 'create', 'make a key for one relay; it is shown once')
    .argument('<cell>')
    .option('--hours <hours>', 'how long it may be used', readNumber, 24)
  relays('relays.list', 'list', 'list relays as they last reported').option('--cell <id>', 'of one cell')
  relays(
    'relays.drain',
    'drain',
    'let it take no more visitors, wait for open connections, and end',
  ).argument('<relay>', 'rel_…, as relays list shows it')
}

function addAccounts(verb: Verb): void {
  const account = (command: Command) => command.argument('<id>', 'acc_…')
  verb('accounts.find', 'find', 'find accounts by id, person or e-mail address').argument(
    '<who>',
    'acc_…, usr_… or an e-mail address',
  )
  account(verb('accounts.show', 'show', 'show an account with its limits and members'))
  because(account(verb('accounts.suspend', 'suspend', 'refuse its keys and cut its tunnels')))
  account(verb('accounts.resume', 'resume', 'end the suspension'))
  because(account(verb('accounts.close', 'close', 'close it for good')))
  account(verb('accounts.plan', 'plan', 'change its plan')).argument('<plan>', 'free, pro, team or unlimited')
  account(
    verb(
      'accounts.override',
      'override',
      "change one limit of the plan for this account; without a value the plan's own limit applies again",
    ),
  )
    .argument('<limit>', 'as accounts show names it')
    .argument('[value]', 'a whole number', readNumber)
}

function addPeople(people: Verb, members: Verb): void {
  const who = (command: Command) => command.argument('<who>', 'usr_… or an e-mail address')
  const withReason = [
    ['people.disable', 'disable', 'end their sessions and keys everywhere, and refuse them from now on'],
    ['people.reset-factors', 'reset-factors', 'remove the factors that they lost, and end their sessions'],
  ] as const
  for (const [act, verb, said] of withReason) because(who(people(act, verb, said)))
  who(people('people.enable', 'enable', 'let them in again'))
  const find = people('people.find', 'find', 'find people by the beginning of their address, or by their id')
  limited(find.argument('<who>', 'the beginning of an e-mail address, or usr_…'), 20)
  const member = (command: Command) => who(command.argument('<account>', 'acc_…'))
  const role = (command: Command) => command.argument('<role>', 'owner, admin, developer, billing or viewer')
  role(member(members('members.add', 'add', 'add a person who has signed in before')))
  member(members('members.remove', 'remove', 'end a membership, and the keys that hang on it'))
  role(member(members('members.role', 'role', 'change the role of a member')))
}

function addNotes(verb: Verb): void {
  const about = (command: Command) => command.argument('<about>', 'acc_…, usr_… or an e-mail address')
  about(verb('notes.list', 'list', 'list what was written about a person or an account, the newest first'))
  about(
    verb('notes.add', 'add', 'write a note, which its subject gets with an export of their data'),
  ).argument('<text>')
  verb('notes.remove', 'remove', 'remove a note').argument('<id>', 'not_…, as notes list shows it')
}

function addMails(verb: Verb): void {
  const address = (command: Command) => command.argument('<address>')
  address(verb('mails.show', 'show', 'whether an address takes mail, and what its reader turned off'))
  address(
    verb(
      'mails.bounced',
      'bounced',
      'mails to it came back: send it no more that its reader did not ask for',
    ),
  )
  address(verb('mails.allow', 'allow', 'send it mails again'))
}

function addAlerts(verb: Verb): void {
  limited(verb('alerts.list', 'list', 'list alerts of the service, those that changed last on top'))
  verb('alerts.acknowledge', 'acknowledge', 'say that you look after one').argument('<id>')
}

function addJobs(verb: Verb): void {
  limited(verb('jobs.list', 'list', 'list what waits, the next first'))
  limited(verb('jobs.dead', 'dead', 'list what failed for good'))
  verb('jobs.retry', 'retry', 'try a dead job again').argument('<id>')
  verb('jobs.drop', 'drop', 'forget a dead job').argument('<id>')
}

function addCertificates(verb: Verb): void {
  limited(verb('certificates.list', 'list', 'list certificates, those that run out first on top'))
  verb('certificates.order', 'order', 'order one now, or renew it before its time').argument(
    '<host>',
    'as certificates list shows it first',
  )
}

function addAudit(verb: Verb): void {
  const list = verb('audit.list', 'list', 'list entries, the newest first')
    .argument('[account]', 'acc_…; without one: entries that concern no account')
    .option('--action <name>', 'such as key.created')
    .option('--actor <id>', 'who did it')
    .option('--target <id>', 'what it was done to')
    .option('--from <time>', 'not before, such as 2026-01-31 or 2026-01-31T12:00Z', readTime)
    .option('--to <time>', 'not after', readTime)
  limited(list)
  const noted = (command: Command) =>
    command.option('--noted <file>', 'compare with the hashes of seals in an outside log')
  noted(verb('audit.verify', 'verify', 'walk all seals, and name what was changed; exits with 1 then'))
  noted(verb('audit.check', 'check', 'check an export of an audit log, without any server')).argument(
    '<file>',
    'the parts of GET /v1/audit/export, joined',
  )
}

function addKeys(verb: Verb): void {
  verb('keys.list', 'list', 'list the keys that sign tickets')
  verb('keys.rotate', 'rotate', 'sign with the next key from now on')
  because(
    verb(
      'keys.leaked',
      'leaked',
      'have a key refused at once; without an id the one that signs now',
    ).argument('[kid]', 'as keys list shows it'),
  )
}

function addFlags(verb: Verb): void {
  const flag = (command: Command) => command.argument('<flag>', 'as flags list shows it')
  verb('flags.list', 'list', 'list flags with the share of accounts that have each')
  flag(verb('flags.set', 'set', 'give it to everybody, nobody, a share of the accounts, or one of them'))
    .argument('<value>', 'on, off, a percentage, or share: for an account, as the share says', readFlagValue)
    .option('--account <id>', 'of this account alone')
  because(flag(verb('flags.kill', 'kill', 'take it from everybody, whatever else is set')))
  flag(verb('flags.revive', 'revive', 'end the kill; what was set before applies again'))
}

function addInvites(verb: Verb, waitList: Verb): void {
  const lasting = (command: Command) =>
    command
      .option('--days <days>', 'how long it may be used', readNumber, 30)
      .option('--plan <plan>', 'of the accounts, as plans list shows it', 'free')
  lasting(verb('invites.create', 'create', 'make a code; it is shown once'))
    .option('--places <count>', 'for this many accounts', readNumber, 1)
    .option('--note <text>', 'for whom or what it is', '')
  limited(verb('invites.list', 'list', 'list codes, the newest first'))
  const id = (command: Command) => command.argument('<id>', 'inv_…, as invites list shows it')
  id(verb('invites.show', 'show', 'show a code with the accounts that came by it'))
  id(verb('invites.revoke', 'revoke', 'take no more accounts by it; those that came stay'))
  const waiting = waitList('waitlist.list', 'list', 'list who waits, the longest first')
  limited(waiting.option('--state <state>', 'asked (not confirmed), waiting, invited or came', 'waiting'))
  lasting(waitList('waitlist.invite', 'invite', 'send a code to those who have waited longest')).argument(
    '<count>',
    'to so many',
    readNumber,
  )
  waitList('waitlist.remove', 'remove', 'forget an address').argument('<email>')
}

function addSecrets(verb: Verb): void {
  verb('secrets.list', 'list', 'open each, and count those that cannot be opened any more')
  verb('secrets.rotate', 'rotate', 'seal all by the newest version of the key; then older ones can go')
  because(verb('secrets.renew', 'renew', 'make anew what cannot be opened: keys, secrets, certificates'))
}

function addBackup(verb: Verb): void {
  const file = (command: Command) =>
    command
      .argument('<file>', 'such as /backups/2026-01-31.tar.gz')
      .option('--passphrase-file <file>', 'encrypted; its first line is the passphrase')
  file(verb('backup.create', 'create', 'write the data folder into a new file, while the server runs or not'))
  file(verb('backup.check', 'check', 'read it to the end, and say from when it is'))
  file(verb('backup.restore', 'restore', 'put it into an empty data folder, before a server starts there'))
  verb('backup.status', 'status', 'how old the newest scheduled backup is; exits with 1 when it is too old')
  verb(
    'backup.settle',
    'settle',
    'after a database was restored by other means: end the leases and keys of the time that it forgot',
  ).argument('<at>', 'what it was restored to, such as 2026-01-31T12:00Z', readTime)
}

function addOperators(verb: Verb): void {
  verb('operators.list', 'list', 'list operators')
  verb('operators.add', 'add', 'make a person an operator').argument('<who>', 'usr_… or an e-mail address')
  verb('operators.remove', 'remove', 'take an operator’s rights away').argument(
    '<who>',
    'usr_… or an e-mail address',
  )
}

/** An act that does harm if it is a mistake needs a reason, which the audit records. */
/** Makes every command report to us instead of ending the process. Subcommands do not inherit this. */
function quiet(command: Command, output: OutputConfiguration): void {
  command.exitOverride()
  command.configureOutput(output)
  for (const child of command.commands) quiet(child, output)
}
