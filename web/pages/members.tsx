/** The members of the account and who is invited: everybody sees them, admins and owners change them. */
import type { Me, Member } from '@porttunneler/shared/api/schemas/accounts'
import type { Invitation } from '@porttunneler/shared/api/schemas/team'
import { useState } from 'preact/hooks'
import type { KeyCreated } from '../api/calls.ts'
import { useApproveRecovery } from '../api/factor-queries.ts'
import { failureIn, useMe } from '../api/queries.ts'
import { useChangeRole, useInvitations, useMembers, useRevokeInvitation } from '../api/team-queries.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button, TextLink } from '../parts/button.tsx'
import { Card, Page, Panel, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { rolesToGive, roleTexts } from '../parts/role-text.ts'
import { TimeText } from '../parts/time-text.tsx'
import { FactorPolicyCard } from './factor-policy-card.tsx'
import { CreateKeyDialog, SecretDialog } from './key-dialogs.tsx'
import { HandOverDialog, InviteDialog, RemoveDialog } from './member-dialogs.tsx'
import { ServiceDialog } from './service-dialog.tsx'

type Asked =
  | { readonly what: 'service' }
  | { readonly what: 'remove' | 'hand-over' | 'key'; readonly member: Member }

export function MembersPage() {
  const me = useMe()
  const members = useMembers()
  const mayManage = me.data?.permissions.includes('members.manage') ?? false
  const [isInviting, setInviting] = useState(false)
  const [asked, setAsked] = useState<Asked>()
  const [created, setCreated] = useState<KeyCreated>()
  const failure = failureIn(members) ?? failureIn(me)
  return (
    <Page
      title="Members"
      lead={me.data && `Who works in ${me.data.accountName}.`}
      actions={
        mayManage && (
          <div class="flex flex-wrap gap-3">
            <Button onClick={() => setAsked({ what: 'service' })}>Add a service</Button>
            <Button look="accent" onClick={() => setInviting(true)}>
              Invite
            </Button>
          </div>
        )
      }
    >
      <div class="space-y-5">
        {failure && <ProblemNotice failure={failure} onRetry={() => void members.refetch()} />}
        {members.isPending && <Skeleton what="the members" />}
        {me.data && members.data && <MemberList me={me.data} members={members.data.items} onAsk={setAsked} />}
        <Panel>
          {mayManage && <Invitations />}
          <FactorPolicyCard />
        </Panel>
      </div>
      {isInviting && me.data && <InviteDialog own={me.data.role} onClose={() => setInviting(false)} />}
      {asked?.what === 'remove' && me.data && (
        <RemoveDialog me={me.data} member={asked.member} onClose={() => setAsked(undefined)} />
      )}
      {asked?.what === 'service' && (
        <ServiceDialog
          onClose={() => setAsked(undefined)}
          onMade={(member) => setAsked({ what: 'key', member })}
        />
      )}
      {asked?.what === 'key' && (
        <CreateKeyDialog
          owner={asked.member}
          onClose={() => setAsked(undefined)}
          onCreated={(key) => {
            setAsked(undefined)
            setCreated(key)
          }}
        />
      )}
      {created && <SecretDialog created={created} onClose={() => setCreated(undefined)} />}
      {asked?.what === 'hand-over' && (
        <HandOverDialog member={asked.member} onClose={() => setAsked(undefined)} />
      )}
    </Page>
  )
}

function MemberList({
  me,
  members,
  onAsk,
}: {
  me: Me
  members: readonly Member[]
  onAsk: (asked: Asked) => void
}) {
  return (
    <ul aria-label="Members" class="divide-y divide-line rounded-xl border border-line bg-surface">
      {members.map((member) => (
        <li key={member.id} class="flex flex-wrap items-center justify-between gap-3 p-4 sm:px-6">
          <MemberText me={me} member={member} />
          <MemberActions me={me} member={member} isLastOwner={isLastOwner(member, members)} onAsk={onAsk} />
        </li>
      ))}
    </ul>
  )
}

function MemberText({ me, member }: { me: Me; member: Member }) {
  return (
    <p class="min-w-0">
      <span class="block font-semibold break-words">
        {nameOf(member)}
        {member.id === me.user && <span class="font-normal text-muted"> (you)</span>}
      </span>
      <span class="text-sm text-muted">
        {member.name === undefined ? 'Member' : 'Service'} since <TimeText at={member.since} />
        {member.status === 'disabled' && ', disabled by the operator'}
        {member.mailRefused && ', mails to this address are refused'}
        {member.factor === false && ', without a second factor'}
        {member.recovering && ', lost every second factor and waits to get in'}
      </span>
    </p>
  )
}

/** The API lets an account have no moment without an owner who can act. */
function isLastOwner(member: Member, members: readonly Member[]): boolean {
  const others = members.filter(({ id }) => id !== member.id)
  return (
    member.role === 'owner' && !others.some(({ role, status }) => role === 'owner' && status === 'active')
  )
}

function MemberActions({
  me,
  member,
  isLastOwner,
  onAsk,
}: {
  me: Me
  member: Member
  isLastOwner: boolean
  onAsk: (asked: Asked) => void
}) {
  const isSelf = member.id === me.user
  const mayManage = me.permissions.includes(member.role === 'owner' ? 'owners.manage' : 'members.manage')
  const isPerson = member.name === undefined
  return (
    <div class="flex flex-wrap items-center gap-3">
      {mayManage ? <RoleChoice me={me} member={member} /> : <span>{roleTexts[member.role].label}</span>}
      {me.role === 'owner' && isPerson && !isSelf && member.role !== 'owner' && (
        <Button
          look="quiet"
          onClick={() => onAsk({ what: 'hand-over', member })}
          aria-label={`Hand over the account to ${nameOf(member)}`}
        >
          Hand over
        </Button>
      )}
      {mayManage && !isPerson && (
        <Button
          look="quiet"
          onClick={() => onAsk({ what: 'key', member })}
          aria-label={`Create key for ${nameOf(member)}`}
        >
          Create key
        </Button>
      )}
      {mayManage && !isSelf && member.recovering && <LetBackIn member={member} />}
      {isSelf && isLastOwner && (
        <p class="max-w-56 text-sm text-muted">
          The only owner cannot leave. Hand the account over first, or delete it on the page{' '}
          <TextLink href="/data">Data</TextLink>.
        </p>
      )}
      {(mayManage || isSelf) && !(isSelf && isLastOwner) && (
        <Button
          look="danger"
          onClick={() => onAsk({ what: 'remove', member })}
          aria-label={isSelf ? 'Leave the account' : `Remove ${nameOf(member)}`}
        >
          {isSelf ? 'Leave' : 'Remove'}
        </Button>
      )}
    </div>
  )
}

/** Somebody who knows the member has spoken with them: their wait ends. */
function LetBackIn({ member }: { member: Member }) {
  const announce = useAnnounce()
  const approve = useApproveRecovery(() => announce(`${nameOf(member)} can go on now`))
  const failure = failureIn(approve)
  return (
    <div class="space-y-2">
      <Button onClick={() => approve.mutate(member.id)} isBusy={approve.isPending}>
        Let them back in
      </Button>
      {failure && <ProblemNotice failure={failure} />}
    </div>
  )
}

function RoleChoice({ me, member }: { me: Me; member: Member }) {
  const announce = useAnnounce()
  const change = useChangeRole({ onDone: () => announce(`Changed: ${nameOf(member)}`) })
  const failure = failureIn(change)
  // A service owns no account.
  const roles = rolesToGive(me.role).filter((role) => member.name === undefined || role !== 'owner')
  return (
    <div class="space-y-2">
      <select
        aria-label={`Role of ${nameOf(member)}`}
        class="block h-10 rounded-md border border-edge bg-surface px-3 text-sm text-text"
        value={member.role}
        disabled={change.isPending}
        onChange={(event) => {
          const role = roles.find((one) => one === event.currentTarget.value)
          if (role) change.mutate({ id: member.id, role })
        }}
      >
        {roles.map((role) => (
          <option key={role} value={role}>
            {roleTexts[role].label}
          </option>
        ))}
      </select>
      {failure && <ProblemNotice failure={failure} />}
    </div>
  )
}

function nameOf({ name, email, id }: Member): string {
  return name ?? email ?? id
}

function Invitations() {
  const query = useInvitations(true)
  const failure = failureIn(query)
  const items = query.data?.items ?? []
  if (failure) return <ProblemNotice failure={failure} onRetry={() => void query.refetch()} />
  if (items.length === 0) return null
  return (
    <Card title="Invited">
      <ul aria-label="Invitations" class="divide-y divide-line">
        {items.map((invitation) => (
          <InvitationRow key={invitation.id} invitation={invitation} />
        ))}
      </ul>
    </Card>
  )
}

const stateTexts: Record<Invitation['state'], string> = {
  open: 'not accepted yet',
  expired: 'expired; invite them again',
  void: 'void, because whoever sent it may not invite any more; invite them again',
}

function InvitationRow({ invitation }: { invitation: Invitation }) {
  const announce = useAnnounce()
  const revoke = useRevokeInvitation({ onDone: () => announce(`Taken back: ${invitation.email}`) })
  const failure = failureIn(revoke)
  const { email, role, by, state, createdAt } = invitation
  return (
    <li class="space-y-2 py-3 first:pt-0 last:pb-0">
      <div class="flex flex-wrap items-center justify-between gap-3">
        <p class="min-w-0">
          <span class="block font-semibold break-words">{email}</span>
          <span class="text-sm text-muted">
            {roleTexts[role].label}, invited <TimeText at={createdAt} /> by {by}: {stateTexts[state]}
          </span>
        </p>
        <Button
          onClick={() => revoke.mutate(invitation.id)}
          isBusy={revoke.isPending}
          aria-label={`Take back the invitation to ${email}`}
        >
          Take back
        </Button>
      </div>
      {failure && <ProblemNotice failure={failure} />}
    </li>
  )
}
