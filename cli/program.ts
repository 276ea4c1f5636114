/**
 * The command line: every verb, option and help text. Actions load their code when they run, so `ptun --version` stays
 * quick and a running agent carries no code of other commands.
 */
import { tunnelStates } from '@porttunneler/shared/api/schemas/tunnel-words'
import { type TunnelKind, tunnelKinds } from '@porttunneler/shared/protocol/endpoint'
import { type Command, Command as CommandClass, Option } from 'commander'
import type { Context } from './context.ts'
import { addKept } from './program-kept.ts'
import { addTerminal } from './program-terminal.ts'
import { policyOptions, requestOptions, tagOption } from './request-flags.ts'
import { version } from './version.ts'

/** Options of every command, as commander parses them. */
export type Globals = {
  readonly server?: string
  readonly account?: string
  readonly json?: boolean
  readonly verbose?: boolean
}

/** What a verb does with its arguments and options; resolves to the exit code. */
export type Run = (globals: Globals, work: (context: Context) => Promise<number>) => Promise<void>

export function buildProgram(run: Run): Command {
  const program = new CommandClass('ptun')
    .description('A public address for a local port.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    .option('--server <url>', 'PortTunneler server (or PTUN_SERVER)')
    .option('--account <account>', 'which of your accounts, by id or name (or PTUN_ACCOUNT)')
    .option('--json', 'one JSON object a line instead of text')
    .option('--verbose', 'also tell single connections, and single ports of a range')
    .addHelpText('after', '\nFirst steps:\n  ptun login\n  ptun http 3000\n')
  addSignIn(program.commandsGroup('Sign in:'), run)
  addServing(program.commandsGroup('Serve tunnels:'), run)
  addConfig(program.commandsGroup('ptun.yaml:'), run)
  addImport(program, run)
  addAccount(program.commandsGroup('Your account:'), run)
  addFurther(program.commandsGroup('This machine:'), run)
  addTerminal(program, run)
  return program
}

function addSignIn(program: Command, run: Run): void {
  program
    .command('login')
    .description('sign in by the browser')
    .option('--no-browser', 'only print the address and the code')
    .option('--admin', 'also allow managing keys and the account')
    .action((options, command: Command) =>
      run(command.optsWithGlobals(), async (context) =>
        (await import('./commands/login.ts')).login(context, options),
      ),
    )
  program
    .command('logout')
    .description("revoke this machine's key and forget it")
    .action((_options, command: Command) =>
      run(command.optsWithGlobals(), async (context) =>
        (await import('./commands/logout.ts')).logout(context),
      ),
    )
  program
    .command('whoami')
    .description('show whom the server takes you for')
    .action((_options, command: Command) =>
      run(command.optsWithGlobals(), async (context) =>
        (await import('./commands/whoami.ts')).whoami(context),
      ),
    )
}

const servingTexts: Readonly<Record<TunnelKind, string>> = {
  tcp: 'give a local TCP port a public port',
  http: 'give a local web server a public host name',
  tls: 'give a local TLS server a public host name; TLS of visitors ends there, or with --e2e at ptun',
}

const httpUpstreamText = 'port, host:port, https://host:port or unix:/path'

function addServing(program: Command, run: Run): void {
  const takeover = () => new Option('--takeover', 'take tunnels over from another agent')
  const cell = () =>
    new Option('--cell <id>', 'where the tunnels shall be; without it new ones go to the nearest cell')
  const domain = () => new Option('--domain <host>', 'a host of your own domain that shall lead here')
  const endToEnd = () =>
    new Option('--e2e', "end visitors' TLS at this machine, with a certificate whose key never leaves it")
  const qr = () => new Option('--qr', 'print the endpoint as a QR code')
  const inspect = () => [
    new Option(
      '--inspect <port>',
      'port of the inspector on this machine; without it 4040 or the next free one',
    ),
    new Option('--no-inspect', 'look at no requests'),
  ]
  for (const kind of tunnelKinds) {
    const command = program
      .command(kind)
      .description(servingTexts[kind])
      .argument(
        '<upstream>',
        kind === 'http'
          ? httpUpstreamText
          : kind === 'tcp'
            ? 'port, host:port or unix:/path; with a range of ports: 30100-30110'
            : 'port, host:port or unix:/path',
      )
      .option('--name <name>', 'name of the tunnel; without it the server makes one up')
    if (kind === 'tcp') command.option('--port <port>', 'public port to ask for, or a range: 20100-20110')
    command.addOption(kind === 'tcp' ? endToEnd().hideHelp() : endToEnd())
    for (const option of policyOptions(kind)) command.addOption(option)
    for (const option of requestOptions()) command.addOption(kind === 'http' ? option : option.hideHelp())
    command
      .option('--proxy-protocol <version>', 'tell the upstream who the visitor is: v1 or v2')
      .addOption(kind === 'tcp' ? domain().hideHelp() : domain())
      .option('--pool', 'share the tunnel with agents of the same --name on other machines')
      .addOption(tagOption())
      .addOption(cell())
      .addOption(takeover())
      .addOption(qr())
    for (const option of inspect()) command.addOption(option)
    command.action((upstream: string, options, self: Command) =>
      run(self.optsWithGlobals(), async (context) =>
        (await import('./commands/tunnel.ts')).serveTunnel(context, kind, { upstream, options }),
      ),
    )
  }
  program
    .command('start')
    .description('serve all tunnels of ptun.yaml, or those named')
    .argument('[names...]', 'names from ptun.yaml')
    .option('--config <file>', 'another file than ./ptun.yaml')
    .addOption(cell())
    .addOption(takeover())
    .addOption(qr())
    .addOption(inspect()[0] as Option)
    .addOption(inspect()[1] as Option)
    .action((names: string[], options, command: Command) =>
      run(command.optsWithGlobals(), async (context) =>
        (await import('./commands/start.ts')).start(context, names, options),
      ),
    )
}

function addConfig(program: Command, run: Run): void {
  const config = program
    .command('config')
    .description('check ptun.yaml, or print its schema')
    .helpCommand(false)
  config
    .command('check')
    .description('say everything that is wrong with ptun.yaml')
    .argument('[file]', 'another file than ./ptun.yaml')
    .action((file: string | undefined, _options, command: Command) =>
      run(command.optsWithGlobals(), async (context) =>
        (await import('./commands/config.ts')).checkConfig(context, file),
      ),
    )
  config
    .command('schema')
    .description('print the JSON Schema of ptun.yaml for editors')
    .action((_options, command: Command) =>
      run(command.optsWithGlobals(), async (context) =>
        (await import('./commands/config.ts')).printSchema(context),
      ),
    )
}

function addImport(program: Command, run: Run): void {
  program
    .command('import')
    .description('make ptun.yaml from a configuration of ngrok or frp, and say what could not come along')
    .argument('<file>', 'ngrok.yml or frpc.toml')
    .option('--output <file>', 'another file than ./ptun.yaml; - prints it')
    .action((file: string, options, command: Command) =>
      run(command.optsWithGlobals(), async (context) =>
        (await import('./commands/import.ts')).importConfig(context, file, options),
      ),
    )
}

function addAccount(program: Command, run: Run): void {
  addList(program, run)
  program
    .command('status')
    .description('show running agents of this machine and the tunnels of your account')
    .action((_options, command: Command) =>
      run(command.optsWithGlobals(), async (context) =>
        (await import('./commands/status.ts')).status(context),
      ),
    )
  program
    .command('delete')
    .description('delete a tunnel and give its address up')
    .argument('<name>', 'name or id of the tunnel')
    .option('--yes', 'do not ask')
    .action((name: string, options, command: Command) =>
      run(command.optsWithGlobals(), async (context) =>
        (await import('./commands/tunnels.ts')).deleteTunnel(context, name, options),
      ),
    )
  program
    .command('feedback')
    .description('tell whoever runs the server; shows first what goes along with the text')
    .argument('<text>', 'up to 4,000 characters')
    .option('--yes', 'do not ask')
    .action((text: string, options, command: Command) =>
      run(command.optsWithGlobals(), async (context) =>
        (await import('./commands/feedback.ts')).feedback(context, text, options),
      ),
    )
  addKept(program, run)
  addDomains(program, run)
  const keys = program.command('keys').description('API keys of your account').helpCommand(false)
  keys
    .command('list')
    .description('list API keys')
    .action((_options, command: Command) =>
      run(command.optsWithGlobals(), async (context) =>
        (await import('./commands/keys.ts')).listKeys(context),
      ),
    )
  keys
    .command('create')
    .description('make an API key; you approve it in the browser, and its secret is printed once')
    .argument('<name>', 'what the key is for')
    .option('--no-browser', 'only print the address and the code')
    .option('--scope <scope...>', 'read, tunnels or admin', ['read', 'tunnels'])
    .action((name: string, options, command: Command) =>
      run(command.optsWithGlobals(), async (context) =>
        (await import('./commands/keys.ts')).createKey(context, name, options),
      ),
    )
  keys
    .command('revoke')
    .description('revoke an API key')
    .argument('<key>', 'its id or name, as ptun keys list shows them')
    .action((id: string, _options, command: Command) =>
      run(command.optsWithGlobals(), async (context) =>
        (await import('./commands/keys.ts')).revokeKey(context, id),
      ),
    )
}

function addFurther(program: Command, run: Run): void {
  program
    .command('inspect')
    .description('open the inspector of the running agents: requests, answers, sending them again')
    .argument('[name]', 'only the agent that serves this tunnel')
    .action((name: string | undefined, _options, command: Command) =>
      run(command.optsWithGlobals(), async (context) =>
        (await import('./commands/inspect.ts')).inspect(context, name),
      ),
    )
  program
    .command('doctor')
    .description('find out what keeps a tunnel from working, and what to do')
    .action((_options, command: Command) =>
      run(command.optsWithGlobals(), async (context) =>
        (await import('./commands/doctor.ts')).doctor(context),
      ),
    )
  program
    .command('api')
    .description('make any call of the API, and print the answer')
    .argument('<method>', 'GET, POST, PATCH or DELETE')
    .argument('<path>', 'such as /v1/tunnels?limit=10')
    .option('--data <json>', 'the body; - reads it from standard input')
    .option('--if-match <revision>', 'change it only if nobody else has since this revision')
    .action((method: string, path: string, options, command: Command) =>
      run(command.optsWithGlobals(), async (context) =>
        (await import('./commands/api.ts')).callApi(context, [method, path], options),
      ),
    )
}

function addList(program: Command, run: Run): void {
  program
    .command('list')
    .description('list the tunnels of your account, first those that somebody should look at')
    .option('--search <text>', 'only those with this in their name, a tag, their id or address')
    .option('--tag <word>', 'only those with this tag')
    .addOption(
      new Option('--state <state...>', 'only those in one of these states').choices([...tunnelStates]),
    )
    .action((options, command: Command) =>
      run(command.optsWithGlobals(), async (context) =>
        (await import('./commands/tunnels.ts')).list(context, options),
      ),
    )
}

function addDomains(program: Command, run: Run): void {
  const load = () => import('./commands/domains.ts')
  const group = program.command('domains').description('hosts of your own domains').helpCommand(false)
  group
    .command('list')
    .description('list your own domains')
    .action((_options, command: Command) =>
      run(command.optsWithGlobals(), async (context) => (await load()).listDomains(context)),
    )
  group
    .command('add')
    .description('say that a host is yours; prints the record to make')
    .argument('<host>', 'such as app.example.com')
    .option('--tunnel <name>', 'where it shall lead')
    .action((host: string, options, command: Command) =>
      run(command.optsWithGlobals(), async (context) => (await load()).addDomain(context, host, options)),
    )
  group
    .command('check')
    .description('look at its records now, and say what is amiss')
    .argument('<host>', 'as ptun domains list shows it')
    .action((host: string, _options, command: Command) =>
      run(command.optsWithGlobals(), async (context) => (await load()).checkDomain(context, host)),
    )
  group
    .command('remove')
    .description('have it no more; it leads nowhere in seconds')
    .argument('<host>', 'as ptun domains list shows it')
    .option('--yes', 'do not ask')
    .action((host: string, options, command: Command) =>
      run(command.optsWithGlobals(), async (context) => (await load()).removeDomain(context, host, options)),
    )
}
