/** The dialogs of the page Members: inviting somebody, handing the account over, ending a membership. */
import type { Role } from '@porttunneler/shared/api/schemas/access'
import type { Me, Member } from '@porttunneler/shared/api/schemas/accounts'
import { failureIn } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { useHandOver, useInvite, useRemoveMember } from '../api/team-queries.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { ConfirmDialog, Dialog } from '../parts/dialog.tsx'
import { TextField } from '../parts/field.tsx'
import { FormOf, useApiForm } from '../parts/form.tsx'
import { rolesToGive, roleTexts } from '../parts/role-text.ts'

export function InviteDialog({ own, onClose }: { own: Role; onClose: () => void }) {
  const announce = useAnnounce()
  const invite = useInvite({
    onDone: () => {
      announce('The invitation is on its way.')
      onClose()
    },
  })
  const form = useApiForm({
    initial: { email: '', role: 'developer' },
    act: invite,
    toWish: ({ email, role }) => ({ email: email.trim(), role: role as Role }),
  })
  return (
    <Dialog title="Invite somebody" onClose={onClose}>
      <FormOf form={form} action="Send the invitation" onCancel={onClose}>
        <TextField
          label="Email"
          type="email"
          autocomplete="off"
          required
          autofocus
          maxLength={254}
          hint="They get a link that works once, for a week, and only for a person with this address."
          {...form.text('email')}
        />
        <fieldset class="space-y-3">
          <legend class="mb-2 text-sm font-semibold">As</legend>
          {rolesToGive(own).map((one) => (
            <label key={one} class="flex gap-3">
              <input
                type="radio"
                name="role"
                class="mt-1 size-4 shrink-0 accent-accent"
                checked={form.values.role === one}
                onChange={() => form.set({ role: one })}
              />
              <span>
                <span class="block font-medium">{roleTexts[one].label}</span>
                <span class="text-sm text-muted">{roleTexts[one].meaning}</span>
              </span>
            </label>
          ))}
        </fieldset>
      </FormOf>
    </Dialog>
  )
}

export function HandOverDialog({ member, onClose }: { member: Member; onClose: () => void }) {
  const announce = useAnnounce()
  const name = member.email ?? member.id
  const handOver = useHandOver({
    onDone: () => {
      announce(`Handed over to ${name}`)
      onClose()
    },
  })
  return (
    <ConfirmDialog
      title={`Hand the account over to ${name}?`}
      action="Hand over"
      onConfirm={() => handOver.mutate(member.id)}
      onClose={onClose}
      isBusy={handOver.isPending}
      failure={failureIn(handOver)}
    >
      <p>They become an owner, and you an admin. Only an owner can make you an owner again.</p>
    </ConfirmDialog>
  )
}

export function RemoveDialog({ me, member, onClose }: { me: Me; member: Member; onClose: () => void }) {
  const { leaveAccount } = useServices()
  const announce = useAnnounce()
  const isSelf = member.id === me.user
  const name = member.name ?? member.email ?? member.id
  const remove = useRemoveMember({
    onDone: () => {
      if (isSelf) return leaveAccount()
      announce(`Removed: ${name}`)
      onClose()
    },
  })
  return (
    <ConfirmDialog
      title={isSelf ? `Leave ${me.accountName}?` : `Remove ${name}?`}
      action={isSelf ? 'Leave' : 'Remove'}
      onConfirm={() => remove.mutate(member.id)}
      onClose={onClose}
      isBusy={remove.isPending}
      failure={failureIn(remove)}
    >
      <p>
        {isSelf ? 'Your' : 'Their'} API keys in this account end at once, and the tunnels that these serve go
        offline. Keys of services stay.
      </p>
    </ConfirmDialog>
  )
}
