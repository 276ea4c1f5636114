/** When operators looked at the account, why, and at what, from its audit log. It shows nothing while nobody has. */
import { useQuery } from '@tanstack/react-query'
import { useServices } from '../api/services.tsx'
import { Card } from '../parts/page.tsx'
import { TimeText } from '../parts/time-text.tsx'

export function ViewsCard() {
  const { calls } = useServices()
  const query = useQuery({
    queryKey: ['views'],
    queryFn: async ({ signal }) => {
      const [began, ended] = await Promise.all([
        calls.audit({ action: 'view.began', limit: 20 }, signal),
        calls.audit({ action: 'view.ended', limit: 20 }, signal),
      ])
      return pairs(began.items, ended.items)
    },
  })
  if (!query.data || query.data.length === 0) return null
  return (
    <Card title="Operators who looked at this account">
      <p class="max-w-prose text-muted">
        They could read its pages, but change nothing, and saw no keys. The audit log has more.
      </p>
      <ul aria-label="Views" class="mt-3 divide-y divide-line">
        {query.data.map(({ id, at, reason, reads, minutes }) => (
          <li key={id} class="py-3 last:pb-0">
            <span class="block font-medium break-words">{reason}</span>
            <span class="text-sm break-words text-muted">
              <TimeText at={at} isExact />
              {minutes === undefined ? ', not over yet' : `, for ${minutes} min`}
              {reads.length > 0 && `. Read: ${reads.join(', ')}`}
            </span>
          </li>
        ))}
      </ul>
    </Card>
  )
}

type Entry = {
  readonly id: string
  readonly at: number
  readonly details: Readonly<Record<string, unknown>>
}

/** Each beginning with its end, if that has come. The newest first. */
function pairs(began: readonly Entry[], ended: readonly Entry[]) {
  return began.map(({ id, at, details }) => {
    const end = ended.find((one) => one.details.view === details.view)
    const { seconds, reads } = end?.details ?? {}
    const minutes = typeof seconds === 'number' ? Math.max(1, Math.round(seconds / 60)) : undefined
    return { id, at, reason: `${details.reason ?? ''}`, minutes, reads: readTexts(reads) }
  })
}

/** What the operations show, in the words of the console's pages. */
const pages: Readonly<Record<string, string>> = {
  readMe: 'rights and plan',
  readAccount: 'account',
  readUsage: 'usage',
  listAudit: 'audit log',
  listAccounts: 'list of accounts',
  listMembers: 'members',
  listInvitations: 'invitations',
  listTunnels: 'tunnels',
  readTunnel: 'a tunnel',
  listAgents: 'agents',
  listNames: 'names',
  readName: 'a name',
  listPorts: 'ports',
  readPort: 'a port',
  listDomains: 'domains',
  readDomain: 'a domain',
  listSignIns: 'sessions',
  readFactors: 'second factors',
  readAddressChange: 'change of the address',
}

function readTexts(reads: unknown): readonly string[] {
  if (typeof reads !== 'object' || reads === null) return []
  return Object.keys(reads).map((operation) => pages[operation] ?? operation)
}
