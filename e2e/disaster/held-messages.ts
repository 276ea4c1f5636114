/**
 * Pub/Sub takes every message for an hour and delivers none, then all of them at once, the last one first. The control
 * plane is the real one; its clock is turned on by hand, so the times in the table are that clock's.
 */
import { newId } from '@porttunneler/shared/base/ids'
import { claimLeases } from '@porttunneler/shared/control/claims'
import { type Control, controlOf } from '@porttunneler/shared/control/control'
import { kickSchema } from '@porttunneler/shared/control/jobs/kick'
import { makeWorker } from '@porttunneler/shared/control/jobs/kinds'
import { topics } from '@porttunneler/shared/control/names'
import { invite } from '@porttunneler/shared/control/team/invitations'
import { deleteTunnel } from '@porttunneler/shared/control/tunnels'
import { makeTestControl } from '@porttunneler/standalone/testing/control'
import { check, type DrillResult } from './drill.ts'

const reportMs = 30_000
/** Each is one invitation, one deleted tunnel; more would pass the limit of invitations. */
const everyMinutes = 5
const minutes = 60

export async function holdMessages(): Promise<DrillResult> {
  await using parts = new AsyncDisposableStack()
  const plane = makeTestControl({ plan: 'unlimited' })
  parts.defer(() => plane.close())
  await plane.openCell()
  const ada = await plane.caller()
  const held: { readonly topic: string; readonly message: object }[] = []
  const publish = async (topic: string, message: object) => void held.push({ topic, message })
  const control: Control = { ...plane.control, bus: { ...plane.control.bus, publish } }
  const agent = newId('agt', 1)
  let { cursor } = await plane.sync()
  const told = new Set<string>()
  const report = async () => {
    plane.clock.advance(reportMs)
    const answer = await plane.sync({ cursor })
    cursor = answer.cursor
    for (const command of answer.commands) if (command?.kind === 'revoke') told.add(command.endpoint)
  }
  const mailed = () => plane.mails.filter(({ to }) => to.startsWith('person')).length
  let changes = 0
  for (let minute = 0; minute < minutes; minute++) {
    const isChange = minute % everyMinutes === 0
    let revoked: string | undefined
    if (isChange) {
      const tunnels = [{ name: `web${minute}`, kind: 'http' as const }]
      const [claimed] = (await claimLeases(control, ada, { agent, tunnels, takeover: false })).results
      if (!claimed || !('lease' in claimed)) throw new Error('no lease')
      await deleteTunnel(controlOf(control, ada.account), ada, { id: claimed.lease.tunnel })
      await invite(control, ada, { email: `person${minute}@example.com`, role: 'viewer' })
      revoked = claimed.lease.endpoint.id
      changes++
    }
    await report()
    if (revoked) check(told.has(revoked), 'a relay learns of a deleted tunnel by its next report')
    await report()
    await plane.runJobs()
    check(mailed() === changes, 'each mail of a minute goes out with the round of jobs that ends it')
  }
  check(held.length >= 2 * changes, 'each change has told Pub/Sub')

  const worker = makeWorker(plane.control, 4)
  for (const { topic, message } of held.toReversed())
    if (topic === topics.jobs) await worker.take(kickSchema.parse(message).ids)
  await plane.runJobs()
  check(mailed() === changes, 'messages that come an hour late do nothing a second time')
  return {
    lost: 'Pub/Sub for an hour: it takes all messages and delivers none',
    rpo: 'nothing: commands and jobs are in the database',
    rtoMs: 2 * reportMs,
    seen: `${changes} deleted tunnels ended by the next report of their relay, within ${reportMs / 1000} s, and ${changes} mails went out with the next round of jobs, within a minute; then ${held.length} messages came at once, and nothing was done twice`,
  }
}
