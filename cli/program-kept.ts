/** The verbs of names and ports that an account keeps, a part of program.ts. */
import type { Command } from 'commander'
import type { Run } from './program.ts'

/** Names and ports have the same verbs. */
export function addKept(program: Command, run: Run): void {
  const texts = {
    names: { description: 'host names that your account keeps', what: 'a host name', argument: '<name>' },
    ports: { description: 'public ports that your account keeps', what: 'a public port', argument: '<port>' },
  } as const
  const load = () => import('./commands/kept.ts')
  for (const list of ['names', 'ports'] as const) {
    const { description, what, argument } = texts[list]
    const group = program.command(list).description(description).helpCommand(false)
    group
      .command('list')
      .description(`list the ${list}`)
      .action((_options, command: Command) =>
        run(command.optsWithGlobals(), async (context) => {
          const kept = await load()
          return list === 'names' ? kept.listKept(context, kept.names) : kept.listKept(context, kept.ports)
        }),
      )
    group
      .command('reserve')
      .description(`keep ${what}, whether or not a tunnel uses it`)
      .argument(
        list === 'names' ? '<name>' : '[port]',
        list === 'names' ? 'a name' : 'without it any free one',
      )
      .option('--cell <id>', 'where; without it your tunnel of that name, or where most room is')
      .action((text: string | undefined, options, command: Command) =>
        run(command.optsWithGlobals(), async (context) => {
          const { reserveName, reservePort } = await load()
          return list === 'names'
            ? reserveName(context, text ?? '', options)
            : reservePort(context, text, options)
        }),
      )
    group
      .command('move')
      .description(`give ${what} to one of your tunnels, or to another account of yours`)
      .argument(argument, `as ptun ${list} list shows it`)
      .option('--tunnel <name>', 'only this tunnel gets it, at once')
      .option('--any-tunnel', 'any tunnel of the account may have it again')
      .option('--to-account <id>', 'another account of yours keeps it from now on')
      .action((text: string, to, command: Command) =>
        run(command.optsWithGlobals(), async (context) => {
          const kept = await load()
          const wish = { text, to }
          return list === 'names'
            ? kept.moveKept(context, kept.names, wish)
            : kept.moveKept(context, kept.ports, wish)
        }),
      )
    group
      .command('release')
      .description(`keep ${what} no more; it rests before others get it`)
      .argument(argument, `as ptun ${list} list shows it`)
      .option('--yes', 'do not ask')
      .action((text: string, { yes }: { yes?: boolean }, command: Command) =>
        run(command.optsWithGlobals(), async (context) => {
          const kept = await load()
          const wish = { text, yes: yes === true }
          return list === 'names'
            ? kept.releaseKept(context, kept.names, wish)
            : kept.releaseKept(context, kept.ports, wish)
        }),
      )
  }
}
