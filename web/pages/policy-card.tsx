/** The policy of a tunnel: who may connect and how often. A change names the version it builds on (ETag). */
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import { useState } from 'preact/hooks'
import { failureIn, useUpdateTunnel } from '../api/queries.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button } from '../parts/button.tsx'
import { Checkbox, TextArea, TextField } from '../parts/field.tsx'
import { Card } from '../parts/page.tsx'
import {
  describeEdits,
  describePolicy,
  type PolicyTexts,
  policyToTexts,
  refusedIn,
  textsToPolicy,
} from '../parts/policy-text.ts'
import { ProblemNotice } from '../parts/problem-notice.tsx'

type PolicyCardProps = {
  tunnel: Tunnel
  /** Reads the tunnel again; undefined when that failed. */
  reload: () => Promise<Tunnel | undefined>
}

export function PolicyCard({ tunnel, reload }: PolicyCardProps) {
  const [isEditing, setEditing] = useState(false)
  return (
    <Card title="Policy">
      {isEditing ? (
        <PolicyForm tunnel={tunnel} reload={reload} onDone={() => setEditing(false)} />
      ) : (
        <div class="flex flex-wrap items-end justify-between gap-4">
          <ul class="min-w-0 space-y-1 break-words text-muted">
            {[...describePolicy(tunnel.policy), ...describeEdits(tunnel.edits ?? {})].map((rule) => (
              <li key={rule}>{rule}</li>
            ))}
          </ul>
          <Button onClick={() => setEditing(true)}>Edit policy</Button>
        </div>
      )}
    </Card>
  )
}

function PolicyForm({ tunnel, reload, onDone }: PolicyCardProps & { onDone: () => void }) {
  const announce = useAnnounce()
  const update = useUpdateTunnel(tunnel.id)
  const [texts, setTexts] = useState<PolicyTexts>(() => policyToTexts(tunnel.policy))
  // The tunnel is read again every few seconds, but this edit builds on what it started from.
  const [base, setBase] = useState(tunnel.revision)
  const set = (field: keyof PolicyTexts) => (event: { currentTarget: { value: string } }) =>
    setTexts({ ...texts, [field]: event.currentTarget.value })
  const save = (revision: number) =>
    update.mutate(
      { change: { policy: textsToPolicy(texts) }, revision },
      {
        onSuccess: () => {
          announce('Policy saved. Relays follow within seconds.')
          onDone()
        },
      },
    )
  const failure = failureIn(update)
  const isConflict = failure?.status === 412
  const takeNewest = async (isOverwriting: boolean) => {
    const newest = await reload()
    if (!newest) return
    setBase(newest.revision)
    if (isOverwriting) return save(newest.revision)
    setTexts(policyToTexts(newest.policy))
    update.reset()
  }
  return (
    <form
      aria-label="Policy"
      class="space-y-5"
      onSubmit={(event) => {
        event.preventDefault()
        save(base)
      }}
    >
      <PolicyFields
        kind={tunnel.kind}
        change={(changed) => setTexts({ ...texts, ...changed })}
        texts={texts}
        set={set}
        issues={failure?.problem.issues ?? []}
      />
      {failure && <ProblemNotice failure={failure} />}
      {isConflict ? (
        <div class="flex flex-wrap gap-3">
          <Button onClick={() => void takeNewest(false)}>Load the newest policy</Button>
          <Button look="danger" onClick={() => void takeNewest(true)} isBusy={update.isPending}>
            Save mine over it
          </Button>
          <Button look="quiet" onClick={onDone}>
            Cancel
          </Button>
        </div>
      ) : (
        <div class="flex flex-wrap gap-3">
          <Button type="submit" look="accent" isBusy={update.isPending}>
            Save policy
          </Button>
          <Button onClick={onDone}>Cancel</Button>
        </div>
      )}
    </form>
  )
}

function PolicyFields({
  kind,
  change,
  texts,
  set,
  issues,
}: {
  kind: Tunnel['kind']
  change: (changed: Partial<PolicyTexts>) => void
  texts: PolicyTexts
  /** What the API found wrong with the last try. */
  issues: readonly { readonly path: string }[]
  set: (field: keyof PolicyTexts) => (event: { currentTarget: { value: string } }) => void
}) {
  return (
    <>
      <div class="grid gap-5 sm:grid-cols-2">
        <TextArea
          label="Allowed addresses"
          hint="One a line, like 203.0.113.7 or 2001:db8::/32. Empty: everybody may connect."
          error={refusedIn('allow', texts, issues)}
          autofocus
          value={texts.allow}
          onInput={set('allow')}
        />
        <TextArea
          label="Denied addresses"
          hint="Denied wins over allowed."
          error={refusedIn('deny', texts, issues)}
          value={texts.deny}
          onInput={set('deny')}
        />
      </div>
      <div class="grid gap-5 sm:grid-cols-2">
        <TextField
          label="Connections at once"
          type="number"
          min={1}
          max={100_000}
          hint="Empty: the plan's limit."
          value={texts.connectionsMax}
          onInput={set('connectionsMax')}
        />
        <TextField
          label="New connections a minute"
          type="number"
          min={1}
          max={1_000_000}
          hint="Empty: the plan's limit."
          value={texts.connectionsPerMinute}
          onInput={set('connectionsPerMinute')}
        />
      </div>
      {kind === 'http' && <RequestFields texts={texts} set={set} change={change} />}
    </>
  )
}

/** What a relay can ask of requests: of http tunnels, whose requests it reads. */
function RequestFields({
  texts,
  set,
  change,
}: {
  texts: PolicyTexts
  set: (field: keyof PolicyTexts) => (event: { currentTarget: { value: string } }) => void
  change: (changed: Partial<PolicyTexts>) => void
}) {
  return (
    <>
      <div class="grid gap-5 sm:grid-cols-2">
        <TextField
          label="Requests a minute from one visitor"
          type="number"
          min={1}
          max={1_000_000}
          hint="Empty: any number. A visitor is one IPv4 address or one IPv6 /64."
          value={texts.requestsPerMinute}
          onInput={set('requestsPerMinute')}
        />
        <TextField
          label="Longest request body, in bytes"
          type="number"
          min={0}
          hint="Empty: any length."
          value={texts.bodyBytesMax}
          onInput={set('bodyBytesMax')}
        />
      </div>
      <Checkbox
        label="Only by HTTPS"
        hint="Requests by plain HTTP are sent to HTTPS."
        isChecked={texts.httpsOnly}
        onChange={(httpsOnly) => change({ httpsOnly })}
      />
      <Checkbox
        label="Upstream gets its own certificates"
        hint="HTTP-01 challenges at own domains pass to the upstream, such as Caddy, and not to this service."
        isChecked={texts.acmeUpstream}
        onChange={(acmeUpstream) => change({ acmeUpstream })}
      />
    </>
  )
}
