/** The policy of a tunnel: who may connect and how often. A change names the version it builds on (ETag). */
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import { useState } from 'preact/hooks'
import { useUpdateTunnel } from '../api/queries.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button } from '../parts/button.tsx'
import { Checkbox, TextArea, TextField } from '../parts/field.tsx'
import { type ApiForm, FormOf, useApiForm } from '../parts/form.tsx'
import { Card } from '../parts/page.tsx'
import {
  describeEdits,
  describePolicy,
  type PolicyTexts,
  policyToTexts,
  refusedIn,
  textsToPolicy,
} from '../parts/policy-text.ts'

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
        <PolicyEditor tunnel={tunnel} reload={reload} onDone={() => setEditing(false)} />
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

function PolicyEditor({ tunnel, reload, onDone }: PolicyCardProps & { onDone: () => void }) {
  const announce = useAnnounce()
  const update = useUpdateTunnel(tunnel.id)
  const form = useApiForm<PolicyTexts, Parameters<typeof update.mutate>[0]>({
    initial: policyToTexts(tunnel.policy),
    version: {
      revision: tunnel.revision,
      newest: async () => {
        const newest = await reload()
        return newest && { values: policyToTexts(newest.policy), revision: newest.revision }
      },
    },
    act: update,
    toWish: (texts, revision) => ({ change: { policy: textsToPolicy(texts) }, revision }),
    refused: (texts, issues) => ({
      ...within('allow', texts, issues),
      ...within('deny', texts, issues),
    }),
    onSent: () => {
      announce('Policy saved. Relays follow within seconds.')
      onDone()
    },
  })
  return (
    <FormOf
      form={form}
      label="Policy"
      action="Save policy"
      place="card"
      isWide
      names={fieldNames}
      onCancel={onDone}
    >
      <PolicyFields kind={tunnel.kind} form={form} />
    </FormOf>
  )
}

/** Names the addresses themselves, which the API names by their places. */
function within(list: 'allow' | 'deny', texts: PolicyTexts, issues: readonly { readonly path: string }[]) {
  const refused = refusedIn(list, texts, issues)
  return refused === undefined ? {} : { [list]: refused }
}

const fieldNames: Record<keyof PolicyTexts, string> = {
  allow: 'allowed addresses',
  deny: 'denied addresses',
  connectionsMax: 'connections at once',
  connectionsPerMinute: 'new connections a minute',
  requestsPerMinute: 'requests a minute from one visitor',
  bodyBytesMax: 'the longest request body',
  httpsOnly: 'only by HTTPS',
  acmeUpstream: 'who gets the certificates',
  keepConnections: 'whether connections are kept',
}

type PolicyForm = ApiForm<PolicyTexts>

function PolicyFields({ kind, form }: { kind: Tunnel['kind']; form: PolicyForm }) {
  return (
    <>
      <div class="grid gap-5 sm:grid-cols-2">
        <TextArea
          label="Allowed addresses"
          hint="One a line, like 203.0.113.7 or 2001:db8::/32. Empty: everybody may connect."
          autofocus
          {...form.text('allow')}
        />
        <TextArea label="Denied addresses" hint="Denied wins over allowed." {...form.text('deny')} />
      </div>
      <div class="grid gap-5 sm:grid-cols-2">
        <TextField
          label="Connections at once"
          type="number"
          min={1}
          max={100_000}
          hint="Empty: the plan's limit."
          {...form.text('connectionsMax')}
        />
        <TextField
          label="New connections a minute"
          type="number"
          min={1}
          max={1_000_000}
          hint="Empty: the plan's limit."
          {...form.text('connectionsPerMinute')}
        />
      </div>
      {kind === 'http' && <RequestFields form={form} />}
    </>
  )
}

/** What a relay can ask of requests: of http tunnels, whose requests it reads. */
function RequestFields({ form }: { form: PolicyForm }) {
  return (
    <>
      <div class="grid gap-5 sm:grid-cols-2">
        <TextField
          label="Requests a minute from one visitor"
          type="number"
          min={1}
          max={1_000_000}
          hint="Empty: any number. A visitor is one IPv4 address or one IPv6 /64."
          {...form.text('requestsPerMinute')}
        />
        <TextField
          label="Longest request body, in bytes"
          type="number"
          min={0}
          hint="Empty: any length."
          {...form.text('bodyBytesMax')}
        />
      </div>
      <Checkbox
        label="Only by HTTPS"
        hint="Requests by plain HTTP are sent to HTTPS."
        {...form.check('httpsOnly')}
      />
      <Checkbox
        label="Upstream gets its own certificates"
        hint="HTTP-01 challenges at own domains pass to the upstream, such as Caddy, and not to this service."
        {...form.check('acmeUpstream')}
      />
    </>
  )
}
