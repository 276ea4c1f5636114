/** The dialogs of the security page that make something: a passkey, an app, recovery codes. */
import type { Passkey } from '@porttunneler/shared/api/schemas/factors'
import { useEffect } from 'preact/hooks'
import { renderSVG } from 'uqr'
import { useAddPasskey, useBeginApp, useConfirmApp, useRenamePasskey } from '../api/factor-queries.ts'
import { failureIn } from '../api/queries.ts'
import { Button } from '../parts/button.tsx'
import { CopyButton } from '../parts/copy-button.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { TextField } from '../parts/field.tsx'
import { type ApiForm, FormOf, useApiForm } from '../parts/form.tsx'
import { Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'

type Codes = { readonly codes: readonly string[] }
type Props<Answer> = { onClose: () => void; onDone: (answer: Answer) => void }

export function AddPasskeyDialog({ onClose, onDone }: Props<Codes>) {
  const add = useAddPasskey(onDone)
  const form = useApiForm({ initial: { name: '' }, act: add, toWish: ({ name }) => name.trim() })
  return (
    <Dialog title="Add a passkey" onClose={onClose}>
      <p class="mt-2 text-muted">
        Your browser asks where to keep it: this device, your phone or a security key.
      </p>
      <FormOf form={form} action="Go on" onCancel={onClose}>
        <NameField {...form.text('name')} />
      </FormOf>
    </Dialog>
  )
}

export function RenameDialog({ passkey, onClose, onDone }: Props<void> & { passkey: Passkey }) {
  const rename = useRenamePasskey(() => onDone())
  const form = useApiForm({
    initial: { name: passkey.name },
    act: rename,
    toWish: ({ name }) => ({ id: passkey.id, name: name.trim() }),
  })
  return (
    <Dialog title={`Rename ${passkey.name}`} onClose={onClose}>
      <FormOf form={form} action="Rename" onCancel={onClose}>
        <NameField {...form.text('name')} />
      </FormOf>
    </Dialog>
  )
}

function NameField(field: ReturnType<ApiForm<{ name: string }>['text']>) {
  return (
    <TextField
      label="Name"
      required
      autofocus
      maxLength={60}
      autocomplete="off"
      pattern=".*\S.*"
      placeholder="laptop"
      hint="So that you know later which one it is."
      {...field}
    />
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
  const form = useApiForm({ initial: { code: '' }, act: confirm, toWish: ({ code }) => code.trim() })
  return (
    <FormOf form={form} action="Confirm" onCancel={onClose}>
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
      <TextField
        label="Code of the app"
        required
        inputMode="numeric"
        autocomplete="one-time-code"
        maxLength={16}
        placeholder="123 456"
        {...form.text('code')}
      />
    </FormOf>
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
