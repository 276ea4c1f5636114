/**
 * Mails to owners about their domains: a proof is missing, has been missing for days, or another account has the host.
 */
import { z } from 'zod'
import { roleOf } from '../caller.ts'
import { queryAll } from '../cells.ts'
import type { Control } from '../control.ts'
import { users } from '../documents.ts'
import type { JobKind, RunningJob, Wish } from '../jobs/jobs.ts'
import { queries } from '../query-table.ts'
import type { DomainDoc } from './domain-documents.ts'

export type Letter = 'verified' | 'failing' | 'suspended' | 'lost'

const bodySchema = z.object({ host: z.string(), letter: z.enum(['failing', 'suspended', 'lost']) })

/** @param subject of the job: one mail of a kind for a claim at a time */
export function letterWish(
  subject: string,
  { account, host }: Pick<DomainDoc, 'account' | 'host'>,
  letter: Letter,
): Wish {
  return { kind: 'domain.mail', subject: `${letter}:${subject}`, account, body: { host, letter } }
}

export function tellOwners(control: Control): JobKind {
  return { name: 'domain.mail', attemptsMax: 12, run: (job) => tell(control, job) }
}

async function tell(control: Control, job: RunningJob): Promise<void> {
  const { host, letter } = bodySchema.parse(job.body)
  const { subject, text } = textOf(host, letter, `${control.settings.consoleUrl}/domains`)
  for (const { id, email } of await ownersOf(control, job.account)) {
    await control.mail.send({ to: email, subject, text, id: `${job.key}:${id}` })
    job.signal.throwIfAborted()
  }
}

async function ownersOf({ store }: Control, account: string) {
  const members = await queryAll(store, queries.membersOfAccount, { where: { account } })
  const owners = members.filter(({ data }) => roleOf(data) === 'owner' && data.status !== 'disabled')
  const people = await store.getAll(owners.map(({ data }) => users.ref(data.user)))
  return people.flatMap((one) =>
    one && one.data.email !== '' ? [{ id: one.ref.id, email: one.data.email }] : [],
  )
}

function textOf(host: string, letter: z.infer<typeof bodySchema>['letter'], url: string) {
  switch (letter) {
    case 'failing':
      return {
        subject: `The record of ${host} is gone`,
        text:
          `The name servers of ${host} no longer have the record that proves that it is yours.\n` +
          'It still leads to your tunnel. After three days it gets no new certificates, after seven days it leads nowhere.\n\n' +
          `What to do: put the record back. It is shown at ${url}.\n`,
      }
    case 'suspended':
      return {
        subject: `${host} is suspended`,
        text:
          `The record of ${host} has been gone for three days, so it gets no new certificates.\n` +
          'Seven days after it went, the host leads to your tunnel no more.\n\n' +
          `What to do: put the record back. It is shown at ${url}.\n`,
      }
    default:
      return {
        subject: `${host} belongs to another account now`,
        text:
          `Your record of ${host} was gone, and another account has proved with a record of its own that the host is theirs.\n` +
          'It does not lead to your tunnel any more.\n\n' +
          'What to do: nothing, if you did this. Otherwise find out who can change the DNS zone of this domain.\n',
      }
  }
}
