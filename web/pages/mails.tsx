/**
 * The mails of a server without a mail server, for its operators: a list, and one mail in a frame that can do nothing.
 */
import { useQuery } from '@tanstack/react-query'
import { useState } from 'preact/hooks'
import { failureIn } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { Button } from '../parts/button.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { Page, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { TimeText } from '../parts/time-text.tsx'

export function MailsPage() {
  const { calls } = useServices()
  const query = useQuery({ queryKey: ['mails'], queryFn: ({ signal }) => calls.keptMails(signal) })
  const [open, setOpen] = useState<string>()
  const failure = failureIn(query)
  const items = query.data?.items
  return (
    <Page
      title="Mails"
      lead="This server has no mail server. What it would have sent waits here for you to hand on."
      actions={
        <Button onClick={() => void query.refetch()} isBusy={query.isFetching}>
          Look again
        </Button>
      }
    >
      {failure && <ProblemNotice failure={failure} />}
      {query.isPending && <Skeleton what="the mails" />}
      {items?.length === 0 && <p class="text-muted">No mails yet.</p>}
      {items && items.length > 0 && (
        <ul aria-label="Mails" class="divide-y divide-line rounded-xl border border-line bg-surface">
          {items.map(({ id, to, subject, at }) => (
            <li key={id} class="flex flex-wrap items-center justify-between gap-3 p-4 sm:px-6">
              <p class="min-w-0">
                <span class="block font-semibold break-words">{subject}</span>
                <span class="text-sm break-words text-muted">
                  to {to}, <TimeText at={at} />
                </span>
              </p>
              <Button onClick={() => setOpen(id)} aria-label={`Read "${subject}" to ${to}`}>
                Read
              </Button>
            </li>
          ))}
        </ul>
      )}
      {open !== undefined && <MailDialog id={open} onClose={() => setOpen(undefined)} />}
    </Page>
  )
}

function MailDialog({ id, onClose }: { id: string; onClose: () => void }) {
  const { calls } = useServices()
  // Each reading stands in the audit log, and nothing keeps what was read.
  const query = useQuery({
    queryKey: ['mail', id],
    queryFn: ({ signal }) => calls.keptMail(id, signal),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
    retry: false,
  })
  const failure = failureIn(query)
  return (
    <Dialog title={query.data?.subject ?? 'Mail'} onClose={onClose}>
      <div class="mt-4 space-y-4">
        {failure && <ProblemNotice failure={failure} />}
        {query.isPending && <Skeleton what="the mail" rows={2} />}
        {query.data && (
          <>
            <p class="text-sm break-words text-muted">To {query.data.to}</p>
            <pre class="overflow-x-auto rounded-md bg-raised p-3 text-sm break-words whitespace-pre-wrap">
              {query.data.text}
            </pre>
            {query.data.html !== undefined && (
              <details>
                <summary class="cursor-pointer text-sm font-semibold">As its reader would see it</summary>
                <iframe
                  title="The mail as HTML"
                  sandbox=""
                  referrerpolicy="no-referrer"
                  srcdoc={query.data.html}
                  class="mt-2 h-80 w-full rounded-md border border-line bg-white"
                />
              </details>
            )}
          </>
        )}
        <div class="flex justify-end">
          <Button onClick={onClose} autofocus>
            Close
          </Button>
        </div>
      </div>
    </Dialog>
  )
}
