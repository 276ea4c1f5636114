/** Makes a tunnel, shows the command that serves it, waits for its first connection, and says when it works. */
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { failureIn, useDomains, useTunnel } from '../api/queries.ts'
import { useLive, useServices } from '../api/services.tsx'
import { ButtonLink } from '../parts/button.tsx'
import { CommandLine } from '../parts/copy-button.tsx'
import { EndpointText } from '../parts/endpoint-text.tsx'
import { TextArea, TextField } from '../parts/field.tsx'
import { type ApiForm, FormOf, useApiForm } from '../parts/form.tsx'
import { Icon, type IconName } from '../parts/icon.tsx'
import { Page } from '../parts/page.tsx'
import { policyToTexts, refusedIn, toAddresses } from '../parts/policy-text.ts'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { refusedTags, toTags } from './tunnel-tags.tsx'

/** Somebody sits before the page and waits for the agent. */
const waitingEveryMs = 2_000
const kinds = {
  http: { label: 'HTTP', hint: 'A web server, an API, webhooks. It gets a host name.', port: '3000' },
  tcp: { label: 'TCP', hint: 'A database, SSH, anything else. It gets a port.', port: '5432' },
  tls: { label: 'TLS', hint: 'A server with its own certificate. It gets a host name.', port: '8443' },
} as const

type Wish = {
  readonly kind: Tunnel['kind']
  readonly name: string
  readonly port: string
  readonly domain: string
  readonly allow: string
  readonly tags: string
}
type Made = { readonly tunnel: Tunnel; readonly wish: Wish }

export function NewTunnelPage() {
  const [made, setMade] = useState<Made>()
  return (
    <Page title={made ? made.wish.name : 'New tunnel'}>
      <div class="max-w-2xl">{made ? <Start made={made} /> : <WishForm onMade={setMade} />}</div>
    </Page>
  )
}

function useCreate(onCreated: (tunnel: Tunnel, wish: Wish) => void) {
  const { calls } = useServices()
  const client = useQueryClient()
  return useMutation({
    mutationFn: ({ kind, name, allow, tags }: Wish) => {
      const allowed = toAddresses(allow)
      const policy = allowed.length > 0 && { policy: { allow: allowed } }
      const words = toTags(tags)
      return calls.createTunnel({
        name: name.trim(),
        kind,
        ...policy,
        ...(words.length > 0 && { tags: words }),
      })
    },
    onSuccess: (tunnel, wish) => {
      onCreated(tunnel, wish)
      return client.invalidateQueries({ queryKey: ['tunnels'] })
    },
  })
}

const nothingYet = { kind: 'http', name: '', port: '', domain: '', allow: '', tags: '' } as const
type Texts = { readonly [Field in keyof Wish]: string }

function WishForm({ onMade }: { onMade: (made: Made) => void }) {
  const create = useCreate((tunnel, wish) => onMade({ tunnel, wish }))
  const form = useApiForm<Texts, Wish>({
    initial: nothingYet,
    act: create,
    toWish: (texts) => ({ ...texts, kind: texts.kind as Wish['kind'] }),
    refused: ({ allow, tags }, issues) => {
      const addresses = refusedIn('allow', { ...policyToTexts({}), allow }, issues)
      const words = refusedTags(tags, issues)
      return {
        ...(addresses !== undefined && { allow: addresses }),
        ...(words !== undefined && { tags: words }),
      }
    },
  })
  const kind = form.values.kind as Wish['kind']
  return (
    <div class="rounded-xl border border-line bg-surface p-5 sm:p-6">
      <FormOf
        form={form}
        label="New tunnel"
        action="Create tunnel"
        place="card"
        isWide
        more={<ButtonLink href="/">Cancel</ButtonLink>}
      >
        <KindChoice kind={kind} onChange={(chosen) => form.set({ kind: chosen, domain: '' })} />
        <Fields form={form} kind={kind} />
      </FormOf>
    </div>
  )
}

function Fields({ form, kind }: { form: ApiForm<Texts>; kind: Wish['kind'] }) {
  return (
    <>
      <TextField
        label="Name"
        hint="Lower-case letters, digits and hyphens. A host name begins with it."
        required
        maxLength={40}
        autocomplete="off"
        autocapitalize="none"
        spellcheck={false}
        placeholder="shop"
        {...form.text('name')}
      />
      <TextField
        label="Local port"
        hint="Where your program listens on its machine."
        inputMode="numeric"
        pattern="[0-9]{1,5}"
        autocomplete="off"
        placeholder={kinds[kind].port}
        {...form.text('port')}
      />
      {kind !== 'tcp' && (
        <DomainChoice domain={form.values.domain} onChange={(domain) => form.set({ domain })} />
      )}
      <TextField
        label="Tags"
        hint="Words that sort it, with spaces between. At most 8."
        autocomplete="off"
        autocapitalize="none"
        spellcheck={false}
        placeholder="prod team:web"
        {...form.text('tags')}
      />
      <details open={form.errors.allow !== undefined}>
        <summary class="text-sm font-semibold text-accent">Who may connect</summary>
        <div class="mt-3">
          <TextArea
            label="Only these addresses"
            hint="IP addresses or networks, one a line. Empty: everybody."
            placeholder="203.0.113.0/24"
            {...form.text('allow')}
          />
        </div>
      </details>
    </>
  )
}

function KindChoice({ kind, onChange }: { kind: Tunnel['kind']; onChange: (kind: Tunnel['kind']) => void }) {
  return (
    <fieldset>
      <legend class="text-sm font-semibold">Kind</legend>
      <div class="mt-1.5 divide-y divide-line rounded-md border border-line">
        {(['http', 'tcp', 'tls'] as const).map((each) => (
          <label key={each} class="flex cursor-pointer items-start gap-3 px-3.5 py-2.5">
            <input
              type="radio"
              name="kind"
              class="mt-1 size-4 shrink-0 accent-accent"
              checked={each === kind}
              onChange={() => onChange(each)}
            />
            <span>
              <span class="font-medium">{kinds[each].label}</span>
              <span class="block text-sm text-muted">{kinds[each].hint}</span>
            </span>
          </label>
        ))}
      </div>
    </fieldset>
  )
}

/** Only for those who have one. */
function DomainChoice({ domain, onChange }: { domain: string; onChange: (domain: string) => void }) {
  const verified = useDomains().data?.items.filter(({ state }) => state === 'verified') ?? []
  if (verified.length === 0) return null
  return (
    <label class="block text-sm font-semibold">
      Own domain
      <select
        class="mt-1.5 block h-11 w-full rounded-md border border-edge bg-surface px-3 font-normal text-text"
        value={domain}
        onChange={(event) => onChange(event.currentTarget.value)}
      >
        <option value="">None, only the host name of the service</option>
        {verified.map(({ host }) => (
          <option key={host} value={host}>
            {host}
          </option>
        ))}
      </select>
    </label>
  )
}

/** @returns what serves the tunnel, for the shells of all systems alike */
export function commandOf({ kind, name, port, domain }: Omit<Wish, 'allow' | 'tags'>): string {
  const own = domain === '' ? '' : ` --domain ${domain}`
  return `npx porttunneler ${kind} ${port === '' ? kinds[kind].port : port} --name ${name.trim()}${own}`
}

function Start({ made }: { made: Made }) {
  const { tunnel: known, wish } = made
  // The form with the button that was pressed is gone.
  useEffect(() => document.querySelector<HTMLElement>('h1')?.focus(), [])
  const query = useTunnel(known.id, waitingEveryMs)
  const tunnel = query.data ?? known
  const live = useLive([tunnel])
  const isServed = tunnel.state === 'healthy' || tunnel.state === 'degraded'
  const opened = live.figures(tunnel.id)?.opened ?? 0
  const failure = failureIn(query)
  return (
    <div class="divide-y divide-line rounded-xl border border-line bg-surface">
      <Step title="Connect the machine to this account, once">
        <CommandLine command={`npx porttunneler login --server ${location.origin}`} />
        <p class="mt-2 text-sm text-muted">
          In {terminal()}, on the machine where your program runs. It needs Node.js; there are also packages
          without it.
        </p>
      </Step>
      <Step title="Serve the tunnel">
        <CommandLine command={commandOf(wish)} />
      </Step>
      <div role="status">
        <Progress icon={isServed ? 'check' : 'away'} isDone={isServed}>
          {isServed ? 'An agent serves it.' : waitingText(tunnel)}
        </Progress>
        {isServed && (
          <Progress icon={opened > 0 ? 'check' : 'away'} isDone={opened > 0}>
            {opened > 0
              ? 'It works: the first visitor has come through.'
              : 'Waiting for its first visitor. Open:'}
          </Progress>
        )}
      </div>
      {isServed && tunnel.endpoint && (
        <div class="px-5 py-4 sm:px-6">
          <EndpointText tunnel={tunnel} />
        </div>
      )}
      {failure && <ProblemNotice failure={failure} onRetry={() => void query.refetch()} />}
      <div class="flex justify-end px-5 py-4 sm:px-6">
        <ButtonLink href={`/tunnels/${tunnel.id}`} look={opened > 0 ? 'accent' : 'plain'}>
          Go to the tunnel
        </ButtonLink>
      </div>
    </div>
  )
}

function Step({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section class="px-5 py-4 sm:px-6">
      <h2 class="mb-2 font-semibold">{title}</h2>
      {children}
    </section>
  )
}

function Progress({
  icon,
  isDone,
  children,
}: {
  icon: IconName
  isDone: boolean
  children: ComponentChildren
}) {
  return (
    <p class={`flex items-start gap-2 px-5 py-3 font-medium sm:px-6 ${isDone ? 'text-ok' : 'text-muted'}`}>
      <span class="mt-0.5">
        <Icon name={icon} />
      </span>
      <span>{children}</span>
    </p>
  )
}

function waitingText({ state, why }: Tunnel): string {
  if (state === 'never_used' || state === 'offline') return 'Waiting for an agent.'
  return `${why.cause}${why.cure ? ` ${why.cure}` : ''}`
}

/** What the person's system calls it. */
function terminal(): string {
  if (/Windows/.test(navigator.userAgent)) return 'PowerShell'
  return /Mac/.test(navigator.userAgent) ? 'Terminal' : 'a terminal'
}
