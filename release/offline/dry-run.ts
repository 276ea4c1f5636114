/** What `--dry-run` runs against: a project in which an earlier release serves, and this commit is the next. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { Clock } from '@porttunneler/shared/base/clock'
import type { Environment } from '../../cdktf/environment.ts'
import type { Run } from '../command.ts'
import type { Order } from '../run-release.ts'
import { JumpingClock } from './jumping-clock.ts'
import { standIns } from './programs.ts'
import { hash, World } from './world.ts'

const day = 86_400_000

/** @param order for a rollback two releases have served already */
export function dryRun(
  environment: Environment,
  { order, now }: { readonly order: Order; readonly now: number },
): { run: Run; clock: Clock } {
  const world = new World(environment)
  const at = (days: number) => new Date(now - days * day).toISOString()
  const first = world.released(hash('commit', '1').slice(0, 40), at(2))
  world.commit = commitHere() ?? world.commit
  if (order === 'rollback') world.released(world.commit, at(1), first)
  return { run: standIns(world), clock: new JumpingClock(now) }
}

/** So that the commands of a dry run have the right commit in them. */
function commitHere(): string | undefined {
  try {
    const cwd = join(import.meta.dirname, '../..')
    return execFileSync('git', ['rev-parse', 'HEAD'], { cwd, encoding: 'utf8' }).trim()
  } catch {
    return undefined
  }
}
