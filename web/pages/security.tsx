/** How the person signs in beside the password: passkeys, an authenticator app, recovery codes. */
import type { Factors, Passkey } from '@porttunneler/shared/api/schemas/factors'
import { useState } from 'preact/hooks'
import {
  useFactors,
  useRecovery,
  useRemoveApp,
  useRemovePasskey,
  useRenewCodes,
} from '../api/factor-queries.ts'
import { failureIn } from '../api/queries.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button } from '../parts/button.tsx'
import { ConfirmDialog } from '../parts/dialog.tsx'
import { Card, Page, Panel, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { AddPasskeyDialog, AppDialog, CodesDialog, RenameDialog } from './factor-dialogs.tsx'

type Asked =
  | { readonly what: 'add-passkey' | 'app' | 'remove-app' | 'renew' }
  | { readonly what: 'rename' | 'remove'; readonly passkey: Passkey }

export function SecurityPage() {
  const factors = useFactors()
  const failure = failureIn(factors)
  const announce = useAnnounce()
  const [asked, setAsked] = useState<Asked>()
  const [codes, setCodes] = useState<readonly string[]>([])
  const close = () => setAsked(undefined)
  const done = (text: string) => () => {
    close()
    announce(text)
  }
  const doneWithCodes = (text: string) => (answer: { readonly codes: readonly string[] }) => {
    done(text)()
    setCodes(answer.codes)
  }
  return (
    <Page title="Security" lead="A second factor protects your sign-in when somebody learns your password.">
      <div class="space-y-5">
        {failure && <ProblemNotice failure={failure} onRetry={() => void factors.refetch()} />}
        {factors.isPending && <Skeleton what="your factors" />}
        {factors.data && (
          <>
            <RecoveryNotice factors={factors.data} />
            <Panel>
              <PasskeysCard passkeys={factors.data.passkeys} onAsk={setAsked} />
              <AppCard app={factors.data.app} onAsk={setAsked} />
              <CodesCard factors={factors.data} onAsk={setAsked} />
            </Panel>
          </>
        )}
      </div>
      {asked?.what === 'add-passkey' && (
        <AddPasskeyDialog onClose={close} onDone={doneWithCodes('Passkey added')} />
      )}
      {asked?.what === 'rename' && (
        <RenameDialog passkey={asked.passkey} onClose={close} onDone={done('Passkey renamed')} />
      )}
      {asked?.what === 'remove' && (
        <RemovePasskey passkey={asked.passkey} onClose={close} onDone={done('Passkey removed')} />
      )}
      {asked?.what === 'app' && (
        <AppDialog onClose={close} onDone={doneWithCodes('Authenticator app added')} />
      )}
      {asked?.what === 'remove-app' && <RemoveApp onClose={close} onDone={done('App removed')} />}
      {asked?.what === 'renew' && <RenewCodes onClose={close} onDone={doneWithCodes('New recovery codes')} />}
      {codes.length > 0 && <CodesDialog codes={codes} onClose={() => setCodes([])} />}
    </Page>
  )
}

function PasskeysCard({ passkeys, onAsk }: { passkeys: readonly Passkey[]; onAsk: (asked: Asked) => void }) {
  return (
    <Card title="Passkeys">
      <p class="max-w-prose text-muted">
        A passkey lives in your device, your password manager or a security key. It works at this address
        alone, so a page that imitates the console gets nothing.
      </p>
      <ul aria-label="Passkeys" class="my-4 divide-y divide-line">
        {passkeys.map((passkey) => (
          <li key={passkey.id} class="flex flex-wrap items-center justify-between gap-3 py-3">
            <p class="min-w-0">
              <span class="block font-semibold break-words">{passkey.name}</span>
              <span class="text-sm text-muted">
                Added <TimeText at={passkey.createdAt} />,{' '}
                {passkey.usedAt === 0 ? (
                  'not used yet'
                ) : (
                  <>
                    used <TimeText at={passkey.usedAt} />
                  </>
                )}
                {passkey.backedUp ? ', synced between your devices' : ', on one device only'}
              </span>
            </p>
            <div class="flex flex-wrap gap-3">
              <Button
                look="quiet"
                onClick={() => onAsk({ what: 'rename', passkey })}
                aria-label={`Rename ${passkey.name}`}
              >
                Rename
              </Button>
              <Button
                look="danger"
                onClick={() => onAsk({ what: 'remove', passkey })}
                aria-label={`Remove ${passkey.name}`}
              >
                Remove
              </Button>
            </div>
          </li>
        ))}
      </ul>
      <Button look="accent" onClick={() => onAsk({ what: 'add-passkey' })}>
        Add a passkey
      </Button>
    </Card>
  )
}

function AppCard({ app, onAsk }: { app: Factors['app']; onAsk: (asked: Asked) => void }) {
  return (
    <Card title="Authenticator app">
      <p class="max-w-prose text-muted">
        {app ? (
          <>
            Added <TimeText at={app.createdAt} />. It shows a new code every 30 seconds.
          </>
        ) : (
          'An app on your phone that shows a code every 30 seconds, for devices that have no passkey.'
        )}
      </p>
      <div class="mt-4 flex flex-wrap gap-3">
        <Button onClick={() => onAsk({ what: 'app' })}>{app ? 'Set up another app' : 'Set up an app'}</Button>
        {app && (
          <Button look="danger" onClick={() => onAsk({ what: 'remove-app' })}>
            Remove the app
          </Button>
        )}
      </div>
    </Card>
  )
}

function CodesCard({ factors, onAsk }: { factors: Factors; onAsk: (asked: Asked) => void }) {
  const { passkeys, app, codes } = factors
  if (passkeys.length === 0 && !app) return null
  return (
    <Card title="Recovery codes">
      <p class="max-w-prose text-muted">
        {codes.left} of 10 are left. Each lets you in once when you have lost everything else. Without one it
        takes 72 hours.
      </p>
      <div class="mt-4">
        <Button onClick={() => onAsk({ what: 'renew' })}>Make new codes</Button>
      </div>
    </Card>
  )
}

/** Somebody asked to get in without a factor: whoever is signed in here can stop that. */
function RecoveryNotice({ factors }: { factors: Factors }) {
  const recovery = useRecovery()
  const failure = failureIn(recovery)
  const { recovery: asked } = factors
  if (!asked || asked.readyAt === 0) return null
  return (
    <Card title="Somebody wants to sign in without your second factor">
      <p class="max-w-prose">
        Whoever knows your password and reads your mail asked for it on{' '}
        <TimeText at={asked.askedAt} isExact />, from the network address {asked.from}. From{' '}
        <TimeText at={asked.readyAt} isExact /> on they can remove all your factors.
      </p>
      {failure && <ProblemNotice failure={failure} />}
      <div class="mt-4">
        <Button look="danger" onClick={() => recovery.mutate('end')} isBusy={recovery.isPending}>
          Stop it
        </Button>
      </div>
    </Card>
  )
}

type DialogProps<Answer = void> = { onClose: () => void; onDone: (answer: Answer) => void }

function RemovePasskey({ passkey, onClose, onDone }: DialogProps & { passkey: Passkey }) {
  const remove = useRemovePasskey(() => onDone())
  return (
    <ConfirmDialog
      title={`Remove ${passkey.name}?`}
      action="Remove the passkey"
      onConfirm={() => remove.mutate(passkey.id)}
      onClose={onClose}
      isBusy={remove.isPending}
      failure={failureIn(remove)}
    >
      <p>It no longer signs you in. Delete it on the device, too.</p>
    </ConfirmDialog>
  )
}

function RemoveApp({ onClose, onDone }: DialogProps) {
  const remove = useRemoveApp(() => onDone())
  return (
    <ConfirmDialog
      title="Remove the authenticator app?"
      action="Remove the app"
      onConfirm={() => remove.mutate(undefined)}
      onClose={onClose}
      isBusy={remove.isPending}
      failure={failureIn(remove)}
    >
      <p>Its codes no longer count.</p>
    </ConfirmDialog>
  )
}

function RenewCodes({ onClose, onDone }: DialogProps<{ readonly codes: readonly string[] }>) {
  const renew = useRenewCodes(onDone)
  return (
    <ConfirmDialog
      title="Make new recovery codes?"
      action="Make new codes"
      onConfirm={() => renew.mutate(undefined)}
      onClose={onClose}
      isBusy={renew.isPending}
      failure={failureIn(renew)}
    >
      <p>The codes that you have now stop working.</p>
    </ConfirmDialog>
  )
}
