/** Own domains: the record to make, with copy buttons, what was found instead, and where each one leads. */
import type { Domain } from '@porttunneler/shared/api/schemas/domains'
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import {
  failureIn,
  useAddDomain,
  useCheckDomain,
  useDomains,
  useGiveDomain,
  useRemoveDomain,
  useTunnels,
} from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button } from '../parts/button.tsx'
import { ConfirmDialog, Dialog } from '../parts/dialog.tsx'
import { TextField } from '../parts/field.tsx'
import { FormOf, useApiForm } from '../parts/form.tsx'
import { Icon, type IconName } from '../parts/icon.tsx'
import { Card, Page, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { Records } from './domain-records.tsx'

export function DomainsPage() {
  const query = useDomains()
  const failure = failureIn(query)
  const [isAdding, setAdding] = useState(false)
  const domains = query.data?.items
  return (
    <Page
      title="Domains"
      lead="Hosts of your own domains. One DNS record proves that a host is yours and leads it to your tunnel."
      actions={
        <Button look="accent" onClick={() => setAdding(true)}>
          Add domain
        </Button>
      }
    >
      <div class="space-y-5">
        {failure && (
          <ProblemNotice
            failure={failure}
            onRetry={() => void query.refetch()}
            isRetrying={query.isFetching}
          />
        )}
        {query.isPending && <Skeleton what="the domains" />}
        {domains?.length === 0 && <NoDomains />}
        {domains?.map((domain) => (
          <DomainCard key={domain.host} domain={domain} />
        ))}
        {query.data?.isCut && <p class="text-sm text-muted">There are more; the API lists them all.</p>}
      </div>
      {isAdding && <AddDialog onClose={() => setAdding(false)} />}
    </Page>
  )
}

function NoDomains() {
  return (
    <Card title="No domains yet">
      <p class="text-muted">
        Add a host such as app.example.com, or run{' '}
        <code class="font-mono text-sm">ptun http 3000 --domain app.example.com</code>.
      </p>
    </Card>
  )
}

const looks: Record<Domain['state'], { label: string; icon: IconName; look: string }> = {
  pending: { label: 'Waiting for the record', icon: 'away', look: 'bg-warn-soft text-warn' },
  verified: { label: 'Verified', icon: 'online', look: 'bg-ok-soft text-ok' },
  failing: { label: 'Record gone', icon: 'alert', look: 'bg-warn-soft text-warn' },
  suspended: { label: 'Suspended', icon: 'offline', look: 'bg-danger-soft text-danger' },
}

function DomainCard({ domain }: { domain: Domain }) {
  const [isRemoving, setRemoving] = useState(false)
  const { label, icon, look } = looks[domain.state]
  return (
    <section aria-label={domain.host} class="rounded-xl border border-line bg-surface p-5 sm:p-6">
      <div class="flex flex-wrap items-center justify-between gap-3">
        <h2 class="min-w-0 text-base font-semibold break-all">{domain.host}</h2>
        <span
          class={`inline-flex items-center gap-1.5 rounded-full py-1 pr-3 pl-2 text-sm font-medium ${look}`}
        >
          <Icon name={icon} size={16} />
          {label}
        </span>
      </div>
      <Findings domain={domain} />
      {domain.certificate && <CertificateText certificate={domain.certificate} />}
      {domain.state === 'verified' ? (
        <details class="mt-4 text-sm">
          <summary class="cursor-pointer text-muted">Its DNS records</summary>
          <Records domain={domain} />
        </details>
      ) : (
        <Records domain={domain} />
      )}
      <div class="mt-5 flex flex-wrap items-end justify-between gap-3">
        <LeadsTo domain={domain} />
        <div class="flex flex-wrap gap-3">
          <CheckButton domain={domain} />
          <Button look="danger" onClick={() => setRemoving(true)} aria-label={`Remove ${domain.host}`}>
            Remove
          </Button>
        </div>
      </div>
      {isRemoving && <RemoveDialog domain={domain} onClose={() => setRemoving(false)} />}
    </section>
  )
}

function Findings({ domain: { findings, checkedAt } }: { domain: Domain }) {
  if (checkedAt === undefined) return <p class="mt-3 text-sm text-muted">The name servers are being asked…</p>
  return (
    <div class="mt-3 space-y-2 text-sm">
      {findings.map((finding) => (
        <FindingText key={finding.code} finding={finding} />
      ))}
      <p class="text-muted">
        Looked at <TimeText at={checkedAt} />.
      </p>
    </div>
  )
}

function FindingText({ finding, more }: { finding: Domain['findings'][number]; more?: ComponentChildren }) {
  const { code, title, detail, cure } = finding
  return (
    <div class="rounded-xl border border-line bg-raised p-3">
      <p class="font-semibold">
        {title}{' '}
        <a class="font-normal text-muted underline" href={`/errors/${code}`}>
          {code}
        </a>
      </p>
      <p class="break-words">{detail}</p>
      <p class="text-muted">
        {cure} {more}
      </p>
    </div>
  )
}

function CertificateText({ certificate }: { certificate: NonNullable<Domain['certificate']> }) {
  const { state, validUntil, renewsAt, problem, triedAgainAt, key } = certificate
  const { clock } = useServices()
  const isValid = validUntil !== undefined && validUntil > clock.now()
  const renewed = renewsAt !== undefined && (
    <>
      {' '}
      It is renewed by itself on <TimeText at={renewsAt} isExact />.
    </>
  )
  const holder = key === 'agent' ? ' ptun, where TLS ends, alone has its key.' : ''
  return (
    <div class="mt-3 space-y-2 text-sm">
      <p>
        <span class="font-semibold">Certificate: </span>
        {state === 'none' && 'it is ordered as soon as a tunnel serves this domain.'}
        {state === 'ordering' && 'being ordered; this usually takes some seconds.'}
        {isValid && (
          <>
            valid until <TimeText at={validUntil} isExact />.{holder}
            {renewed}
          </>
        )}
        {state === 'failing' && !isValid && 'not there yet.'}
      </p>
      {problem && (
        <FindingText
          finding={problem}
          more={
            triedAgainAt !== undefined && (
              <>
                It is tried again on <TimeText at={triedAgainAt} isExact />.
              </>
            )
          }
        />
      )}
    </div>
  )
}

function LeadsTo({ domain }: { domain: Domain }) {
  const tunnels = useTunnels()
  const give = useGiveDomain(domain.host)
  const announce = useAnnounce()
  const failure = failureIn(give)
  const possible = tunnels.data?.items.filter(({ kind }) => kind !== 'tcp') ?? []
  return (
    <label class="max-w-full min-w-0 text-sm font-semibold">
      Leads to
      <select
        class="mt-1.5 block h-11 max-w-full min-w-48 rounded-md border border-edge bg-surface px-3 text-text"
        value={domain.tunnel?.id ?? ''}
        disabled={give.isPending}
        onChange={(event) => {
          const id = event.currentTarget.value
          give.mutate(id === '' ? null : id, { onSuccess: () => announce(`Changed: ${domain.host}`) })
        }}
      >
        <option value="">no tunnel</option>
        {possible.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
      {failure && <ProblemNotice failure={failure} />}
    </label>
  )
}

function CheckButton({ domain }: { domain: Domain }) {
  const check = useCheckDomain(domain.host)
  const failure = failureIn(check)
  return (
    <div class="space-y-2">
      <Button
        onClick={() => check.mutate()}
        isBusy={check.isPending}
        aria-label={`Check now: ${domain.host}`}
      >
        Check now
      </Button>
      {failure && failure.status !== 429 && <ProblemNotice failure={failure} />}
    </div>
  )
}

function AddDialog({ onClose }: { onClose: () => void }) {
  const announce = useAnnounce()
  const add = useAddDomain({
    onAdded: (domain) => {
      announce(`Added: ${domain.host}`)
      onClose()
    },
  })
  const form = useApiForm({ initial: { host: '' }, act: add, toWish: ({ host }) => ({ host: host.trim() }) })
  return (
    <Dialog title="Add a domain" onClose={onClose}>
      <FormOf form={form} action="Add domain" onCancel={onClose}>
        <TextField
          label="Host"
          required
          autofocus
          maxLength={253}
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          placeholder="app.example.com"
          hint="A name of a domain that you have registered. You see the DNS record to make next."
          {...form.text('host')}
        />
      </FormOf>
    </Dialog>
  )
}

function RemoveDialog({ domain, onClose }: { domain: Domain; onClose: () => void }) {
  const announce = useAnnounce()
  const remove = useRemoveDomain({
    onRemoved: () => {
      announce(`Removed: ${domain.host}`)
      onClose()
    },
  })
  return (
    <ConfirmDialog
      title={`Remove ${domain.host}?`}
      action="Remove domain"
      onConfirm={() => remove.mutate(domain.host)}
      onClose={onClose}
      isBusy={remove.isPending}
      failure={failureIn(remove)}
    >
      <p>
        Within seconds it leads nowhere{domain.tunnel && `, and no longer to ${domain.tunnel.name}`}. If you
        add it again, it needs a new record.
      </p>
    </ConfirmDialog>
  )
}
