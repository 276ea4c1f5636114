/**
 * Mails people once about each version of a document that they have not accepted, so that a day from which something
 * waits for them comes as no surprise. The job walks all people in pages when the setting names a version that it has
 * not walked for. What a person has been told stands in their own document, so a job that starts anew, or two releases
 * that take turns with different settings, mail nobody twice. New people are left out: the first page asks them.
 */
import { z } from 'zod'
import type { TermsDocument } from '../../api/schemas/terms.ts'
import { termsNames } from '../../base/terms-kinds.ts'
import type { Control } from '../control.ts'
import type { UserDoc } from '../documents.ts'
import { type JobKind, look, type RunningJob } from '../jobs/jobs.ts'
import { kick } from '../jobs/kick.ts'
import { dayOf } from '../leaving/terms.ts'
import { linkOf } from '../mail/links.ts'
import { type Addressed, mailWish } from '../mail/sending.ts'
import type { Page, QueryOptions, Ref, Snapshot, Transaction } from '../platform.ts'
import { queries } from '../query-table.ts'

/** How often it looks whether the setting has changed. */
const everyMs = 3_600_000
const pageSize = 100
/** People in one transaction: for each a document and a mail. */
const peopleAtOnce = 20
/** Versions that a person's document keeps: as many as it keeps acceptances. */
const toldMax = 30
/** Later, people have met the question in the console. */
const usefulMs = 7 * 24 * 3_600_000

const progressSchema = z.object({ of: z.string().default(''), isDone: z.boolean().default(false) })

export function tellOfTerms(control: Control): JobKind {
  const run = (job: RunningJob) => tell(control, job)
  return { name: 'terms.news', attemptsMax: Number.MAX_SAFE_INTEGER, everyMs, run }
}

async function tell(control: Control, job: RunningJob): Promise<void> {
  const { store, clock, settings } = control
  const of = (settings.terms ?? []).map(nameOf).toSorted().join(', ')
  const before = progressSchema.parse(job.progress)
  if (of !== '' && !(before.of === of && before.isDone)) {
    let after: QueryOptions['after']
    do {
      const options = { where: {}, limit: pageSize, ...(after && { after }) }
      const page: Page<UserDoc> = await store.query(queries.usersByAddress, options)
      await tellPage(control, job, { of, people: page.items })
      after = page.next
    } while (after)
  }
  await job.pause({ of, isDone: true }, clock.now() + everyMs)
}

type Some = { readonly of: string; readonly people: readonly Snapshot<UserDoc>[] }

async function tellPage(control: Control, job: RunningJob, { of, people }: Some): Promise<void> {
  const concerned = people.filter(({ ref, data }) => openTo(control, ref, data).length > 0)
  const progress = { of, isDone: false }
  // Renews the lease also where there is nobody to tell.
  if (concerned.length === 0) await job.advance(progress)
  for (let from = 0; from < concerned.length; from += peopleAtOnce) {
    job.signal.throwIfAborted()
    const some = concerned.slice(from, from + peopleAtOnce)
    const asked: string[] = []
    const wishes = await Promise.all(some.map((person) => wishFor(control, person)))
    await job.advance(progress, async (tx) => {
      const now = await Promise.all(some.map(({ ref }) => tx.get(ref)))
      const still = now.flatMap((person, index) => {
        const documents = person ? openTo(control, person.ref, person.data) : []
        return person && documents.length > 0 ? [{ person, documents, wish: wishes[index] }] : []
      })
      const asks = await Promise.all(still.map(({ wish }) => wish && look(tx, wish, control.clock.now())))
      for (const { person, documents } of still) note(tx, person, documents)
      asked.splice(0, asked.length, ...asks.flatMap((ask) => (ask ? [ask()] : [])))
    })
    await kick(control, asked)
  }
}

function note(tx: Transaction, { ref, data }: Snapshot<UserDoc>, documents: readonly TermsDocument[]): void {
  const termsTold = [...(data.termsTold ?? []), ...documents.map(nameOf)].slice(-toldMax)
  tx.update(ref, { termsTold })
}

/** What the person has neither accepted nor been told of. An address that nobody has proven may be a stranger's. */
function openTo({ terms }: Control, ref: Ref<UserDoc>, person: UserDoc): readonly TermsDocument[] {
  const { email, emailVerified, status, leaving, termsTold = [] } = person
  if (email === '' || !emailVerified || status !== 'active' || leaving) return []
  return terms.openTo(ref.id, person).filter((one) => !termsTold.includes(nameOf(one)))
}

/** As told, and in the job's progress. */
function nameOf({ kind, version }: Pick<TermsDocument, 'kind' | 'version'>): string {
  return `${kind} ${version}`
}

async function wishFor(control: Control, { ref, data }: Snapshot<UserDoc>) {
  const { vault, clock, settings } = control
  const documents = openTo(control, ref, data)
  const nowMs = clock.now()
  const letter: Addressed = {
    to: data.email,
    template: 'terms-new',
    data: {
      documents: documents.map(({ kind, version, url }) => ({ name: termsNames[kind], version, url })),
      day: dayFrom(documents, nowMs),
      link: linkOf(settings, 'terms-new'),
    },
  }
  return mailWish(vault, letter, { account: '', until: nowMs + usefulMs })
}

/** The last day (UTC) on which everything goes on without the first of them; '' = there is none any more. */
function dayFrom(documents: readonly TermsDocument[], nowMs: number): string {
  const dueAt = Math.min(...documents.map(({ by = 0 }) => by))
  return dueAt > nowMs ? dayOf(dueAt - 1) : ''
}
