/**
 * Undoes a release: calls go back to the revisions that had them, the console to the version that was served, and VMs
 * that were replaced come again from the template of the release before. Quick things first. Data stay as they are:
 * each release reads what its neighbours wrote (docs/release.md).
 */
import { fail } from '@porttunneler/shared/base/errors'
import { vmsOf } from '../cdktf/names.ts'
import type { Current } from './record.ts'
import { replaceVm } from './relays.ts'
import type { Release, Step } from './release.ts'
import { applyRelaysOf } from './steps/stacks.ts'
import { serveWebVersion } from './steps/web.ts'
import { moveTraffic } from './traffic.ts'
import { tryTunnels } from './watch.ts'

/** @param target the release that serves again; undefined when there was none */
export function rollBackSteps(target: Pick<Current, 'id'> | undefined): readonly Step[] {
  return [
    {
      name: 'back-traffic',
      title: 'All calls go to the revisions that had them before',
      async run(release) {
        for (const [service, revision] of Object.entries(release.state.before?.revisions ?? {}))
          await moveTraffic(release, service, { [revision]: 100 })
      },
    },
    {
      name: 'back-web',
      title: 'The console is the one that was served before',
      async run(release) {
        const { before, done } = release.state
        // The console is the last step, which may have been cut off before it was noted.
        if (before?.web !== undefined && done.includes('settle')) await serveWebVersion(release, before.web)
      },
    },
    {
      name: 'back-relays',
      title: 'Relay VMs that were replaced come again as they were',
      run: (release) => bringRelaysBack(release, target),
    },
    { name: 'back-smoke', title: 'A tunnel works in each cell', run: tryTunnels },
  ]
}

async function bringRelaysBack(release: Release, target: Pick<Current, 'id'> | undefined): Promise<void> {
  const { done, replaced } = release.state
  // Until the stacks are applied, the templates are the old ones. A crash in the middle of it is not "until".
  if (!done.includes('hold')) return
  if (target === undefined) throw fail('release.nothing_before')
  await applyRelaysOf(release, target.id)
  const vms = release.environment.cells.flatMap(vmsOf).filter(({ name }) => replaced.includes(name))
  // Each is noted when it is back, so that a rollback that goes on does not replace it again.
  for (const vm of vms) {
    await replaceVm(release, vm)
    await release.note({ replaced: release.state.replaced.filter((name) => name !== vm.name) })
  }
}
