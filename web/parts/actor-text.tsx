/** Who did something, as people know them: the address of a member, or else the id. */
import { useMembers } from '../api/team-queries.ts'

export function ActorText({ id }: { id: string }) {
  const member = useMembers().data?.items.find((one) => one.id === id)
  const name = member?.email ?? member?.name
  if (name !== undefined) return <span class="break-all">{name}</span>
  return <code class="font-mono text-[0.8125rem] break-all">{id}</code>
}
