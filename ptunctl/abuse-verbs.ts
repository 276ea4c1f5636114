/** The verbs of ptunctl against abuse: reports, the tunnel behind an address, the kill switch. */
import type { Command } from 'commander'
import { because, limited } from './arguments.ts'
import type { Verb } from './money-verbs.ts'

export function addTunnels(verb: Verb): void {
  const address = (command: Command) =>
    command.argument('<address>', 'what a visitor sees, such as https://shop.example.com, or tun_…')
  address(verb('tunnels.find', 'find', 'show the tunnel that has an address now, and its account'))
  because(
    address(
      verb(
        'tunnels.take-down',
        'take-down',
        'cut its visitors, and let nobody serve it; the owners hear why',
      ),
    ),
  )
  address(verb('tunnels.restore', 'restore', 'put back one that was taken down'))
  limited(verb('tunnels.taken-down', 'taken-down', 'list those that are taken down, the newest first'))
}

export function addReports(verb: Verb): void {
  const list = verb('reports.list', 'list', 'list reports, those reported last first')
    .option('--state <state>', 'open, dismissed, warned, taken_down or suspended', 'open')
    .option('--account <id>', 'of this account alone, in whatever state')
  limited(list, 50)
  const id = (command: Command) => command.argument('<id>', 'rep_…, as reports list shows it')
  id(verb('reports.show', 'show', 'show what people wrote, the tunnel, the account and earlier reports'))
  because(
    id(verb('reports.decide', 'decide', 'close it, and do what was decided')).argument(
      '<decision>',
      'dismissed, warned, taken_down or suspended',
    ),
  )
}
