/** The two dialogs of a new key: what it may do, and its secret, which is shown this once. */
import type { Scope } from '@porttunneler/shared/api/schemas/access'
import type { Member } from '@porttunneler/shared/api/schemas/accounts'
import { useState } from 'preact/hooks'
import type { KeyCreated } from '../api/calls.ts'
import { failureIn, useCreateKey } from '../api/queries.ts'
import { Button } from '../parts/button.tsx'
import { CopyButton } from '../parts/copy-button.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { Checkbox, SelectField, TextField } from '../parts/field.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { scopes, scopeTexts } from '../parts/scope-text.ts'

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
  const [name, setName] = useState('')
  const [chosen, setChosen] = useState<readonly Scope[]>(['read', 'tunnels'])
  const [days, setDays] = useState(0)
  const [isMissing, setMissing] = useState(false)
  const failure = failureIn(create)
  return (
    <Dialog title={owner ? `Create a key for ${owner.name}` : 'Create a key'} onClose={onClose}>
      <form
        class="mt-5 space-y-5"
        onSubmit={(event) => {
          event.preventDefault()
          setMissing(chosen.length === 0)
          const end = days > 0 && { expiresInDays: days }
          if (chosen.length > 0)
            create.mutate({
              name: name.trim(),
              scopes: [...chosen],
              ...end,
              ...(owner && { member: owner.id }),
            })
        }}
      >
        <TextField
          label="Name"
          required
          autofocus
          maxLength={80}
          autocomplete="off"
          pattern=".*\S.*"
          placeholder="build server"
          hint="What uses the key, so that you know later what you revoke."
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
        />
        <ScopeChoice chosen={chosen} isMissing={isMissing} onChange={setChosen} />
        <LifeChoice days={days} onChange={setDays} />
        {failure && <ProblemNotice failure={failure} />}
        <div class="flex flex-wrap justify-end gap-3">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="accent" isBusy={create.isPending}>
            Create key
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

function ScopeChoice({
  chosen,
  isMissing,
  onChange,
}: {
  chosen: readonly Scope[]
  isMissing: boolean
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
      {isMissing && (
        <p role="alert" class="text-sm font-medium text-danger">
          Choose at least one.
        </p>
      )}
    </fieldset>
  )
}

/** @param days after which it ends; 0 = it has no end */
function LifeChoice({ days, onChange }: { days: number; onChange: (days: number) => void }) {
  return (
    <SelectField
      label="It ends"
      hint="Whatever uses it stops then. A key without an end is for servers and CI."
      value={`${days}`}
      onChange={(event) => onChange(Number(event.currentTarget.value))}
    >
      <option value="0">when it is revoked</option>
      {lives.map((life) => (
        <option key={life} value={`${life}`}>
          after {life} days
        </option>
      ))}
    </SelectField>
  )
}

/** In the order of the table, whatever was clicked first. */
function withScope(chosen: readonly Scope[], changed: Scope, isChosen: boolean): readonly Scope[] {
  return scopes.filter((scope) => (scope === changed ? isChosen : chosen.includes(scope)))
}

export function SecretDialog({ created, onClose }: { created: KeyCreated; onClose: () => void }) {
  return (
    <Dialog title={`New key: ${created.name}`} onClose={onClose} isKept>
      <p class="mt-2 text-muted">
        Copy it now: it is shown this once. The server keeps only a fingerprint of it.
      </p>
      <div class="mt-4 flex items-start gap-3 rounded-md border border-line bg-raised p-3">
        <code class="min-w-0 flex-1 self-center font-mono text-sm break-all">{created.secret}</code>
        <CopyButton text={created.secret} what="key" isWide />
      </div>
      <p class="mt-4 text-sm text-muted">
        Hand it to a program by the environment, not on the command line:{' '}
        <code class="font-mono">PTUN_KEY</code>.
      </p>
      <div class="mt-6 flex justify-end">
        <Button look="accent" onClick={onClose}>
          I have stored it
        </Button>
      </div>
    </Dialog>
  )
}
