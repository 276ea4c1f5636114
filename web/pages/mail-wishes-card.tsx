/** On the account page: which mails the person gets, and turning each kind off and on again. */
import type { MailWishes } from '@porttunneler/shared/api/schemas/mails'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { failureIn } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { useAnnounce } from '../parts/announcer.tsx'
import { Checkbox } from '../parts/field.tsx'
import { Card, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'

const queryKey = ['mail-wishes']
type Item = MailWishes['items'][number]

const hints: Readonly<Record<string, string>> = {
  domains: 'A domain no longer leads here, or was lost. You get them as an owner.',
  team: 'Somebody joined it. You get them as an owner.',
  invitations: 'Somebody wants you in their account.',
}

export function MailWishesCard() {
  const { calls } = useServices()
  const client = useQueryClient()
  const announce = useAnnounce()
  const wishes = useQuery({ queryKey, queryFn: ({ signal }) => calls.mailWishes(signal) })
  const change = useMutation({
    mutationFn: ({ purpose, off }: Pick<Item, 'purpose' | 'off'>) => calls.wishMails(purpose, { off }),
    onSuccess: (now, { off }) => {
      client.setQueryData(queryKey, now)
      announce(off ? 'These mails are off.' : 'These mails are on again.')
    },
  })
  const failure = failureIn(wishes) ?? failureIn(change)
  const items = wishes.data?.items ?? []
  return (
    <Card title="Mails to you">
      <div class="max-w-prose space-y-4">
        {failure && <ProblemNotice failure={failure} />}
        {wishes.isPending && <Skeleton what="which mails you get" rows={2} />}
        {wishes.data?.refused && (
          <p>
            A mail server said that nobody has your address, so it gets only mails that you ask for. Change
            the address, or ask the operator to allow it again.
          </p>
        )}
        {items
          .filter(({ essential }) => !essential)
          .map((item) => (
            <Checkbox
              key={item.purpose}
              label={`Mails about ${item.about}`}
              hint={hints[item.purpose] ?? 'They come to the owners of an account.'}
              isChecked={
                !(change.isPending && change.variables.purpose === item.purpose ? change.variables : item).off
              }
              onChange={(isOn) => change.mutate({ purpose: item.purpose, off: !isOn })}
            />
          ))}
        {wishes.data && (
          <p class="text-sm text-muted">
            Always on, because your account and its safety depend on them: mails about{' '}
            {items
              .filter(({ essential }) => essential)
              .map(({ about }) => about)
              .join(', and about ')}
            .
          </p>
        )}
      </div>
    </Card>
  )
}
