/** The verbs around the terminal itself, a part of program.ts: completion, logs, connections, a page, a service. */
import { Argument, type Command, Option } from 'commander'
import { shells } from './completion/scripts.ts'
import type { Run } from './program.ts'

export function addTerminal(program: Command, run: Run): void {
  program
    .command('open')
    .description("open a tunnel's address in the browser, and print it")
    .argument('<name>', 'name or id of the tunnel')
    .action((name: string, _options, command: Command) =>
      run(command.optsWithGlobals(), async (context) =>
        (await import('./commands/open.ts')).openTunnel(context, name),
      ),
    )
  program
    .command('logs')
    .description('show what the running agents of this machine tell, and go on until Ctrl-C')
    .argument('[name]', 'only what happens to this tunnel')
    .option('--no-follow', 'only what they have told so far')
    .action((name: string | undefined, options, command: Command) =>
      run(command.optsWithGlobals(), async (context) =>
        (await import('./commands/logs.ts')).logs(context, name, options),
      ),
    )
  program
    .command('connections')
    .description('list the connections of visitors to a tunnel: open ones, and those that were kept')
    .argument('<name>', 'name or id of the tunnel')
    .option('--from <address>', 'only visitors from this address or network')
    .option('--code <code>', 'only those that ended for this reason, such as PT-3022')
    .option('--failed', 'only those that did not end in order')
    .addOption(
      new Option(
        '--keep <how>',
        'from now on keep those that end: with addresses shortened or whole, or not',
      ).choices(['off', 'shortened', 'whole']),
    )
    .option('--follow', 'go on until Ctrl-C')
    .action((name: string, options, command: Command) =>
      run(command.optsWithGlobals(), async (context) =>
        (await import('./commands/connections.ts')).connections(context, name, options),
      ),
    )
  addAlerts(program, run)
  addService(program, run)
  program
    .command('completion')
    .description('print the script that lets a shell complete command lines of ptun')
    .addArgument(new Argument('<shell>', 'which shell').choices([...shells]))
    .argument('[words...]', 'what the script asks: the words of the line')
    .addHelpText('after', '\nTry it:\n  eval "$(ptun completion bash)"\n')
    .action((shell: (typeof shells)[number], words: string[], _options, command: Command) =>
      run(command.optsWithGlobals(), async (context) =>
        (await import('./commands/completion.ts')).completion(context, program, { shell, words }),
      ),
    )
}

function addAlerts(program: Command, run: Run): void {
  const load = () => import('./commands/alerts.ts')
  const group = program.command('alerts').description('what is wrong with your account').helpCommand(false)
  group
    .command('list')
    .description('list the alerts that are open')
    .option('--all', 'also those that are over, of the last 90 days')
    .action((options, command: Command) =>
      run(command.optsWithGlobals(), async (context) => (await load()).listAlerts(context, options)),
    )
  group
    .command('acknowledge')
    .description('say that you look after one: nobody is mailed of it again but of its end')
    .argument('<alert>', 'its id, or the tunnel or host that it is about')
    .action((text: string, _options, command: Command) =>
      run(command.optsWithGlobals(), async (context) => (await load()).acknowledgeAlert(context, text)),
    )
}

function addService(program: Command, run: Run): void {
  const load = () => import('./commands/service.ts')
  const group = program
    .command('service')
    .description('let the system start ptun, and keep it running')
    .helpCommand(false)
  group
    .command('install')
    .description('install and start it with the tunnels of ptun.yaml: by systemd or launchd')
    .option('--config <file>', 'another file than ./ptun.yaml')
    .option('--system', 'for the whole machine, not for your session')
    .option('--run-as <user>', 'with --system: the user it runs as; without it whoever called sudo')
    .option('--print', 'only print the file that would be written')
    .action((options, command: Command) =>
      run(command.optsWithGlobals(), async (context) => (await load()).installService(context, options)),
    )
  group
    .command('status')
    .description('say whether it is installed and runs')
    .option('--system', 'for the whole machine, not for your session')
    .action((options, command: Command) =>
      run(command.optsWithGlobals(), async (context) => (await load()).serviceStatus(context, options)),
    )
  group
    .command('remove')
    .description('stop it, and remove what install has written')
    .option('--system', 'for the whole machine, not for your session')
    .action((options, command: Command) =>
      run(command.optsWithGlobals(), async (context) => (await load()).removeService(context, options)),
    )
}
