/** The person's address, and its change, which both mailboxes confirm. */
import type { Me } from '@porttunneler/shared/api/schemas/accounts'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { failureIn } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button } from '../parts/button.tsx'
import { TextField } from '../parts/field.tsx'
import { FormOf, useApiForm } from '../parts/form.tsx'
import { Card } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'

const queryKey = ['address-change']

export function AddressCard({ me }: { me: Me }) {
  const { calls } = useServices()
  const query = useQuery({ queryKey, queryFn: ({ signal }) => calls.addressChange(signal) })
  const failure = failureIn(query)
  const open = query.data?.open
  return (
    <Card title="Email address">
      <p class="break-words">
        Your address is <strong class="font-semibold">{me.email}</strong>.
      </p>
      {failure && <ProblemNotice failure={failure} onRetry={() => void query.refetch()} />}
      {open ? <OpenChange {...open} /> : <ChangeForm />}
    </Card>
  )
}

function OpenChange({
  from,
  to,
  oldConfirmed,
  newConfirmed,
}: {
  from: string
  to: string
  oldConfirmed: boolean
  newConfirmed: boolean
}) {
  const { calls } = useServices()
  const queries = useQueryClient()
  const withdraw = useMutation({
    mutationFn: () => calls.withdrawAddressChange(),
    onSettled: () => queries.invalidateQueries({ queryKey }),
  })
  const failure = failureIn(withdraw)
  const waitsFor = [...(newConfirmed ? [] : [to]), ...(oldConfirmed ? [] : [from])]
  return (
    <div class="mt-3 space-y-3">
      <p role="status" class="break-words text-muted">
        It changes to <strong class="font-semibold text-text">{to}</strong> when the link in the mail to{' '}
        {waitsFor.join(' and the one in the mail to ')} was followed, within a day.
      </p>
      {failure && <ProblemNotice failure={failure} />}
      <Button onClick={() => withdraw.mutate()} isBusy={withdraw.isPending}>
        Keep the present address
      </Button>
    </div>
  )
}

function ChangeForm() {
  const { calls } = useServices()
  const queries = useQueryClient()
  const announce = useAnnounce()
  const ask = useMutation({
    mutationFn: calls.requestAddressChange,
    gcTime: 0,
    onSuccess: () => {
      announce('Mails to both addresses are on the way.')
      void queries.invalidateQueries({ queryKey })
    },
  })
  const form = useApiForm({
    initial: { email: '' },
    act: ask,
    toWish: ({ email }) => ({ email: email.trim() }),
  })
  return (
    <div class="mt-4">
      <FormOf form={form} label="Change the address" action="Change the address" look="plain" place="card">
        <TextField
          label="New address"
          type="email"
          autocomplete="email"
          required
          maxLength={254}
          hint="Both mailboxes, the old and the new, get a mail with a link to confirm it."
          {...form.text('email')}
        />
      </FormOf>
    </div>
  )
}
