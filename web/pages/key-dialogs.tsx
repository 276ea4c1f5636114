/** The two dialogs of a new key: the first asks what it may do, the second shows its secret. */
import type { Scope } from '@porttunneler/shared/api/schemas/access'
import type { Member } from '@porttunneler/shared/api/schemas/accounts'
import type { KeyCreated } from '../api/calls.ts'
import { useCreateKey } from '../api/queries.ts'
import { Dialog } from '../parts/dialog.tsx'
import { Checkbox, SelectField, TextField } from '../parts/field.tsx'
import { FormOf, useApiForm, Wrong } from '../parts/form.tsx'
import { formatCounted } from '../parts/format.ts'
import { scopes, scopeTexts } from '../parts/scope-text.ts'
import { SecretOnce } from '../parts/secret-once.tsx'

/** Days, of the API's 366 at most. */
const lives = [7, 30, 90, 365] as const

export function CreateKeyDialog({
  owner,
  onClose,
  onCreated,
}: {
  /** A service member that shall have it, in place of the person. */
  owner?: Member | undefined
  onClose: () => void
  onCreated: (key: KeyCreated) => void
}) {
  const create = useCreateKey({ onCreated })
  const form = useApiForm({
    initial: { name: '', scopes: ['read', 'tunnels'] as readonly string[], expiresInDays: '0' },
    act: create,
    toWish: ({ name, scopes: chosen, expiresInDays }) =>
      chosen.length === 0
        ? new Wrong({ scopes: 'Choose at least one.' })
        : {
            name: name.trim(),
            scopes: scopes.filter((scope) => chosen.includes(scope)),
            ...(expiresInDays !== '0' && { expiresInDays: Number(expiresInDays) }),
            ...(owner && { member: owner.id }),
          },
  })
  return (
    <Dialog title={owner ? `Create a key for ${owner.name}` : 'Create a key'} onClose={onClose}>
      <FormOf form={form} action="Create key" onCancel={onClose}>
        <TextField
          label="Name"
          required
          autofocus
          maxLength={80}
          autocomplete="off"
          pattern=".*\S.*"
          placeholder="build server"
          hint="What uses the key, so that you know later what you revoke."
          {...form.text('name')}
        />
        <ScopeChoice
          chosen={form.values.scopes}
          error={form.errors.scopes}
          onChange={(chosen) => form.set({ scopes: chosen })}
        />
        <SelectField
          label="It ends"
          hint="Whatever uses it stops then. A key without an end is for servers and CI."
          {...form.choice('expiresInDays')}
        >
          <option value="0">when it is revoked</option>
          {lives.map((life) => (
            <option key={life} value={`${life}`}>
              after {formatCounted(life, 'day')}
            </option>
          ))}
        </SelectField>
      </FormOf>
    </Dialog>
  )
}

function ScopeChoice({
  chosen,
  error,
  onChange,
}: {
  chosen: readonly string[]
  error: string | undefined
  onChange: (chosen: readonly Scope[]) => void
}) {
  return (
    <fieldset class="space-y-3">
      <legend class="mb-2 text-sm font-semibold">It may</legend>
      {scopes.map((scope) => (
        <Checkbox
          key={scope}
          label={scopeTexts[scope].label}
          hint={scopeTexts[scope].meaning}
          isChecked={chosen.includes(scope)}
          onChange={(isChecked) => onChange(withScope(chosen, scope, isChecked))}
        />
      ))}
      {error && (
        <p role="alert" class="text-sm font-medium text-danger">
          {error}
        </p>
      )}
    </fieldset>
  )
}

/** In the order of the table, whatever was clicked first. */
function withScope(chosen: readonly string[], changed: Scope, isChosen: boolean): readonly Scope[] {
  return scopes.filter((scope) => (scope === changed ? isChosen : chosen.includes(scope)))
}

export function SecretDialog({ created, onClose }: { created: KeyCreated; onClose: () => void }) {
  return (
    <SecretOnce
      title={`New key: ${created.name}`}
      secret={created.secret}
      what="key"
      after="The server keeps only a fingerprint of it."
      onClose={onClose}
    >
      <p class="mt-4 text-sm text-muted">
        Hand it to a program by the environment, not on the command line:{' '}
        <code class="font-mono">PTUN_KEY</code>.
      </p>
    </SecretOnce>
  )
}
