/** The verbs of ptunctl about what is kept, held, and shown to auditors. */
import type { Command } from 'commander'
import { because, readTime } from './arguments.ts'
import type { Verb } from './money-verbs.ts'

export function addRetention(retention: Verb, holds: Verb): void {
  retention('retention.show', 'show', 'show how long each thing is kept and why, and what went by month')
  holds('holds.list', 'list', 'list holds, and whether an erasure waits for one')
  const about = (command: Command) =>
    because(command.argument('<about>', 'acc_…, usr_… or an e-mail address'))
  about(
    holds('holds.set', 'set', 'erase and forget nothing of an account or a person until it ends'),
  ).requiredOption('--until <time>', 'when it ends by itself, within ten years', readTime)
  about(holds('holds.release', 'release', 'end it now; what waited goes on within an hour'))
}

export function addCompliance(verb: Verb): void {
  const span = (command: Command) =>
    command
      .option('--from <time>', 'not before; default: 90 days ago', readTime)
      .option('--to <time>', 'not after', readTime)
  span(verb('compliance.report', 'report', 'show rights, audit, data, holds and who else gets data')).option(
    '--html',
    'as a page to print',
  )
  span(
    verb('compliance.extract', 'extract', 'write entries with proofs, for audit check').argument(
      '[account]',
      'acc_…; without one: the service',
    ),
  )
}
