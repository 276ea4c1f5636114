/** Who belongs to the account, who is invited, and which accounts a person has. */
import type { Role } from '@porttunneler/shared/api/schemas/access'
import type { Member } from '@porttunneler/shared/api/schemas/accounts'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useServices } from './services.tsx'

const names = { accounts: ['accounts'], members: ['members'], invitations: ['invitations'] } as const

export function useAccounts() {
  const { calls } = useServices()
  return useQuery({
    queryKey: names.accounts,
    queryFn: ({ signal }) => calls.accounts(signal),
    staleTime: 60_000,
  })
}

export function useMembers() {
  const { calls } = useServices()
  return useQuery({ queryKey: names.members, queryFn: ({ signal }) => calls.members(signal) })
}

/** @param mayManage others may not see them */
export function useInvitations(mayManage: boolean) {
  const { calls } = useServices()
  return useQuery({
    queryKey: names.invitations,
    queryFn: ({ signal }) => calls.invitations(signal),
    enabled: mayManage,
  })
}

/** @param change what is done; members and invitations are read again after it */
function useTeamChange<Wish, Answer>(
  change: (wish: Wish) => Promise<Answer>,
  onDone: (answer: Answer) => void,
) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: change,
    onSuccess: async (answer) => {
      const stale = [names.members, names.invitations, ['me']]
      await Promise.all(stale.map((queryKey) => client.invalidateQueries({ queryKey })))
      onDone(answer)
    },
  })
}

type Done = { readonly onDone: () => void }

export function useInvite({ onDone }: Done) {
  const { calls } = useServices()
  return useTeamChange((wish: { email: string; role: Role }) => calls.invite(wish), onDone)
}

export function useCreateService({ onDone }: { readonly onDone: (made: Member) => void }) {
  const { calls } = useServices()
  return useTeamChange(calls.createServiceMember, onDone)
}

export function useRevokeInvitation({ onDone }: Done) {
  const { calls } = useServices()
  return useTeamChange(calls.revokeInvitation, onDone)
}

export function useChangeRole({ onDone }: Done) {
  const { calls } = useServices()
  return useTeamChange(({ id, role }: { id: string; role: Role }) => calls.changeMember(id, { role }), onDone)
}

export function useHandOver({ onDone }: Done) {
  const { calls } = useServices()
  return useTeamChange(calls.handOver, onDone)
}

/** The name is in every list of accounts, and in what is known of the person. */
export function useRenameAccount({ onDone }: Done) {
  const { calls } = useServices()
  const client = useQueryClient()
  return useMutation({
    mutationFn: calls.renameAccount,
    onSuccess: async () => {
      const stale = [names.accounts, ['account'], ['me']]
      await Promise.all(stale.map((queryKey) => client.invalidateQueries({ queryKey })))
      onDone()
    },
  })
}

export function useRemoveMember({ onDone }: Done) {
  const { calls } = useServices()
  return useTeamChange(calls.removeMember, onDone)
}

/** What an invitation offers to the person who is signed in. */
export function useInvitation(token: string) {
  const { calls } = useServices()
  return useQuery({
    queryKey: ['invitation', token],
    queryFn: () => calls.readInvitation(token),
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  })
}
