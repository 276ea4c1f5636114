/** The dialogs of the security page that make something: a passkey, an app, recovery codes. */
import type { Passkey } from '@porttunneler/shared/api/schemas/factors'
import { useEffect, useState } from 'preact/hooks'
import { renderSVG } from 'uqr'
import { useAddPasskey, useBeginApp, useConfirmApp, useRenamePasskey } from '../api/factor-queries.ts'
import { failureIn } from '../api/queries.ts'
import { Button } from '../parts/button.tsx'
import { CopyButton } from '../parts/copy-button.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { TextField } from '../parts/field.tsx'
import { Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'

type Codes = { readonly codes: readonly string[] }
type Props<Answer> = { onClose: () => void; onDone: (answer: Answer) => void }

export function AddPasskeyDialog({ onClose, onDone }: Props<Codes>) {
  const add = useAddPasskey(onDone)
  return (
    <Dialog title="Add a passkey" onClose={onClose}>
      <p class="mt-2 text-muted">
        Your browser asks where to keep it: this device, your phone or a security key.
      </p>
      <NameForm
        action="Go on"
        failure={failureIn(add)}
        isBusy={add.isPending}
        onClose={onClose}
        onName={(name) => add.mutate(name)}
      />
    </Dialog>
  )
}

export function RenameDialog({ passkey, onClose, onDone }: Props<void> & { passkey: Passkey }) {
  const rename = useRenamePasskey(() => onDone())
  return (
    <Dialog title={`Rename ${passkey.name}`} onClose={onClose}>
      <NameForm
        action="Rename"
        value={passkey.name}
        failure={failureIn(rename)}
        isBusy={rename.isPending}
        onClose={onClose}
        onName={(name) => rename.mutate({ id: passkey.id, name })}
      />
    </Dialog>
  )
}

function NameForm({
  action,
  value = '',
  failure,
  isBusy,
  onClose,
  onName,
}: {
  action: string
  value?: string
  failure: ReturnType<typeof failureIn>
  isBusy: boolean
  onClose: () => void
  onName: (name: string) => void
}) {
  const [name, setName] = useState(value)
  return (
    <form
      class="mt-5 space-y-5"
      onSubmit={(event) => {
        event.preventDefault()
        onName(name.trim())
      }}
    >
      <TextField
        label="Name"
        required
        autofocus
        maxLength={60}
        autocomplete="off"
        pattern=".*\S.*"
        placeholder="laptop"
        hint="So that you know later which one it is."
        value={name}
        onInput={(event) => setName(event.currentTarget.value)}
      />
      {failure && <ProblemNotice failure={failure} />}
      <div class="flex flex-wrap justify-end gap-3">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" look="accent" isBusy={isBusy}>
          {action}
        </Button>
      </div>
    </form>
  )
}

export function AppDialog({ onClose, onDone }: Props<Codes>) {
  const begin = useBeginApp()
  const { mutate } = begin
  useEffect(() => mutate(), [mutate])
  const failure = failureIn(begin)
  return (
    <Dialog title="Set up an authenticator app" onClose={onClose}>
      <div class="mt-4 space-y-5">
        {failure && <ProblemNotice failure={failure} />}
        {begin.isPending && <Skeleton what="the QR code" rows={2} />}
        {begin.data && <Scan {...begin.data} onClose={onClose} onDone={onDone} />}
      </div>
    </Dialog>
  )
}

/** A second app gets the same secret only from this picture, which is shown once. */
function Scan({ secret, uri, onClose, onDone }: Props<Codes> & { secret: string; uri: string }) {
  const confirm = useConfirmApp(onDone)
  const [code, setCode] = useState('')
  const failure = failureIn(confirm)
  return (
    <form
      class="space-y-5"
      onSubmit={(event) => {
        event.preventDefault()
        confirm.mutate(code.trim())
      }}
    >
      <p class="text-muted">Scan this with the app, then type the code that it shows.</p>
      <img
        class="mx-auto size-48 rounded-md"
        alt="QR code for the authenticator app"
        src={`data:image/svg+xml,${encodeURIComponent(renderSVG(uri, { border: 4 }))}`}
      />
      <div class="flex items-center gap-2">
        <code class="min-w-0 flex-1 font-mono text-sm break-all">{secret}</code>
        <CopyButton text={secret} what="secret" />
      </div>
      <CodeField value={code} onInput={setCode} />
      {failure && <ProblemNotice failure={failure} />}
      <div class="flex flex-wrap justify-end gap-3">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" look="accent" isBusy={confirm.isPending}>
          Confirm
        </Button>
      </div>
    </form>
  )
}

function CodeField({ value, onInput }: { value: string; onInput: (value: string) => void }) {
  return (
    <TextField
      label="Code of the app"
      required
      inputMode="numeric"
      autocomplete="one-time-code"
      maxLength={16}
      placeholder="123 456"
      value={value}
      onInput={(event) => onInput(event.currentTarget.value)}
    />
  )
}

export function CodesDialog({ codes, onClose }: Codes & { onClose: () => void }) {
  const text = codes.join('\n')
  return (
    <Dialog title="Your recovery codes" onClose={onClose} isKept>
      <p class="mt-2 text-muted">
        They are shown this once. Each lets you in once if you lose your other factors, so keep them where you
        find them without your devices.
      </p>
      <ul
        aria-label="Recovery codes"
        class="my-4 space-y-1 rounded-md border border-line bg-raised p-4 font-mono text-sm"
      >
        {codes.map((code) => (
          <li key={code}>{code}</li>
        ))}
      </ul>
      <div class="flex flex-wrap justify-end gap-3">
        <CopyButton text={text} what="all codes" isWide />
        <Button onClick={() => print()}>Print</Button>
        <Button look="accent" onClick={onClose}>
          I have kept them
        </Button>
      </div>
    </Dialog>
  )
}
