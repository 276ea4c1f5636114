/** The account and the person: names, what the plan allows, the password, the address, mails, words to the operator. */
import type { Me } from '@porttunneler/shared/api/schemas/accounts'
import { useMutation } from '@tanstack/react-query'
import { useLinks } from '../api/link-queries.ts'
import { failureIn, useConfig, useMe, usePlans } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button, TextLink } from '../parts/button.tsx'
import { passwordHint } from '../parts/credentials-form.tsx'
import { Checkbox, TextField } from '../parts/field.tsx'
import { FormOf, useApiForm } from '../parts/form.tsx'
import { formatCount } from '../parts/format.ts'
import { keysLeftText } from '../parts/keys-left-text.ts'
import { fileHint } from '../parts/link-request.tsx'
import { Card, Page, Panel, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { AccountNameCard } from './account-name-card.tsx'
import { AddressCard } from './address-card.tsx'
import { FeedbackCard } from './feedback-card.tsx'
import { LinksCard } from './links-card.tsx'
import { MailWishesCard } from './mail-wishes-card.tsx'
import { TermsCard } from './terms.tsx'

export function AccountPage() {
  const me = useMe()
  const config = useConfig()
  const failure = failureIn(me)
  // An operator who views the account alone is nobody in it.
  const isPerson = me.data?.email !== undefined
  return (
    <Page title="Account">
      <div class="space-y-5">
        {failure && (
          <ProblemNotice failure={failure} onRetry={() => void me.refetch()} isRetrying={me.isFetching} />
        )}
        {me.isPending && <Skeleton what="the account" />}
        <Panel>
          {me.data?.termsDue !== undefined && <TermsCard />}
          {me.data && <AccountCard me={me.data} />}
          {me.data?.permissions.includes('account.update') && <AccountNameCard name={me.data.accountName} />}
          {me.data && <PlanCard me={me.data} />}
          {isPerson && config.data?.identity === 'local' && <LocalSignIn email={me.data?.email} />}
          {isPerson && me.data && <AddressCard me={me.data} />}
          {isPerson && <MailWishesCard />}
          <FeedbackCard />
          {isPerson && me.data?.termsDue === undefined && <TermsCard />}
        </Panel>
      </div>
    </Page>
  )
}

function LocalSignIn({ email }: { email: string | undefined }) {
  const links = useLinks(true)
  return (
    <>
      {links.data?.hasPassword === false ? <FirstPasswordCard email={email} /> : <PasswordCard />}
      <LinksCard />
    </>
  )
}

/** People who signed up by another service have none. */
function FirstPasswordCard({ email }: { email: string | undefined }) {
  const { calls } = useServices()
  const ask = useMutation({
    mutationFn: (address: string) => calls.requestPasswordReset({ email: address }),
    gcTime: 0,
  })
  const failure = failureIn(ask)
  return (
    <Card title="Password">
      <div class="space-y-4">
        <p class="max-w-prose text-muted">
          You have no password yet: you sign in with another service. With one you can also sign in without
          it.
        </p>
        {failure && <ProblemNotice failure={failure} />}
        {ask.isSuccess ? (
          <p role="status" class="text-sm">
            A link to set one is on its way to {email}. {fileHint}
          </p>
        ) : (
          <Button onClick={() => email && ask.mutate(email)} isBusy={ask.isPending}>
            Send a link to set one
          </Button>
        )}
      </div>
    </Card>
  )
}

function AccountCard({ me }: { me: Me }) {
  return (
    <Card title="Signed in as">
      <p class="font-medium break-words">{me.email ?? me.accountName}</p>
      <p class="text-sm text-muted">
        {me.role} of {me.accountName}
        {me.emailVerified === false && ' · the address is not confirmed yet'}
      </p>
    </Card>
  )
}

function PlanCard({ me }: { me: Me }) {
  const { limits } = me
  const plans = usePlans().data?.items ?? []
  const rows = [
    ['Tunnels online at once', formatCount(limits.tunnelsOnline)],
    ['Reserved host names', formatCount(limits.reservedHosts)],
    ['Reserved ports', formatCount(limits.reservedPorts)],
    ['Own domains', formatCount(limits.domains)],
    ['New connections a minute', formatCount(limits.connectionsPerMinute)],
  ] as const
  return (
    <Card title={`Plan: ${plans.find(({ name }) => name === me.plan)?.title ?? me.plan}`}>
      <dl class="grid max-w-md grid-cols-[1fr_auto] gap-x-6 gap-y-2">
        {rows.map(([label, text]) => (
          <div key={label} class="col-span-2 grid grid-cols-subgrid">
            <dt class="text-muted">{label}</dt>
            <dd class="text-right font-medium tabular-nums">{text}</dd>
          </div>
        ))}
      </dl>
      <p class="mt-4 text-sm">
        <TextLink href="/plans">All plans</TextLink>
      </p>
    </Card>
  )
}

function PasswordCard() {
  const { calls, session } = useServices()
  const announce = useAnnounce()
  const change = useMutation({
    mutationFn: calls.changePassword,
    gcTime: 0,
    onSuccess: ({ keys, ...tokens }) => {
      session.accept(tokens)
      announce(`Password changed. All other sessions have ended. ${keysLeftText(keys)}`)
    },
  })
  const form = useApiForm({
    initial: { current: '', next: '', endKeys: false },
    act: change,
    toWish: (typed) => typed,
  })
  return (
    <Card title="Password">
      <FormOf form={form} label="Change the password" action="Change password" look="plain" place="card">
        <TextField
          label="Current password"
          type="password"
          autocomplete="current-password"
          required
          maxLength={200}
          {...form.text('current')}
        />
        <TextField
          label="New password"
          type="password"
          autocomplete="new-password"
          required
          minLength={10}
          maxLength={200}
          hint={passwordHint}
          {...form.text('next')}
        />
        <Checkbox
          label="Also end my API keys"
          hint="Devices and services that use them go offline. Tick it if somebody else may know your password."
          {...form.check('endKeys')}
        />
        {change.isSuccess && (
          <p role="status" class="text-sm text-muted">
            Password changed. {keysLeftText(change.data.keys)}
          </p>
        )}
      </FormOf>
    </Card>
  )
}
