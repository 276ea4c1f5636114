/** On the account page: the services that the person signs in with, and how to add and remove one. */
import { useState } from 'preact/hooks'
import { type Link, useAddLink, useLinks, useRemoveLink } from '../api/link-queries.ts'
import { failureIn, useConfig } from '../api/queries.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button } from '../parts/button.tsx'
import { ConfirmDialog } from '../parts/dialog.tsx'
import { Card, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { TimeText } from '../parts/time-text.tsx'

export function LinksCard() {
  const { services = [] } = useConfig().data ?? {}
  const links = useLinks(true)
  const add = useAddLink()
  const [asked, setAsked] = useState<Link>()
  const failure = failureIn(links) ?? failureIn(add)
  const items = links.data?.items ?? []
  const missing = services.filter(({ id }) => items.every(({ provider }) => provider !== id))
  if (services.length === 0 && items.length === 0) return null
  return (
    <Card title="Sign-in with other services">
      <div class="space-y-4">
        {links.isPending && <Skeleton what="the services" />}
        {links.data && items.length === 0 && (
          <p class="text-muted">
            None yet. With one added, you can sign in there instead of with a password.
          </p>
        )}
        {items.length > 0 && (
          <ul class="max-w-md divide-y divide-line">
            {items.map((link) => (
              <li key={link.id} class="flex flex-wrap items-center justify-between gap-3 py-2.5">
                <div class="min-w-0">
                  <p class="font-medium">{link.name}</p>
                  <p class="text-sm break-words text-muted">
                    {link.email && `${link.email} · `}added <TimeText at={link.linkedAt} />
                  </p>
                </div>
                <Button onClick={() => setAsked(link)} aria-label={`Remove ${link.name}`}>
                  Remove
                </Button>
              </li>
            ))}
          </ul>
        )}
        {failure && <ProblemNotice failure={failure} />}
        {missing.length > 0 && (
          <div class="flex flex-wrap gap-3">
            {missing.map(({ id, name }) => (
              <Button
                key={id}
                onClick={() => add.mutate(id)}
                isBusy={(add.isPending || add.isSuccess) && add.variables === id}
              >
                Add {name}
              </Button>
            ))}
          </div>
        )}
      </div>
      {asked && <RemoveDialog link={asked} onClose={() => setAsked(undefined)} />}
    </Card>
  )
}

function RemoveDialog({ link, onClose }: { link: Link; onClose: () => void }) {
  const announce = useAnnounce()
  const remove = useRemoveLink({
    onRemoved: () => {
      announce(`${link.name} was removed.`)
      onClose()
    },
  })
  return (
    <ConfirmDialog
      title={`Remove ${link.name}?`}
      action="Remove"
      onConfirm={() => remove.mutate(link.id)}
      onClose={onClose}
      isBusy={remove.isPending}
      failure={failureIn(remove)}
    >
      <p>
        You can no longer sign in with it. Sessions that began with it go on: sign out everywhere to end them.
      </p>
    </ConfirmDialog>
  )
}
