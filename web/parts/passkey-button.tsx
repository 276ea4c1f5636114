/** Signing in with a passkey alone, under the form of the password. */
import type { Tokens } from '@porttunneler/shared/api/schemas/accounts'
import { usePasskeySignIn } from '../api/factor-queries.ts'
import { failureIn } from '../api/queries.ts'
import { Button } from './button.tsx'
import { ProblemNotice } from './problem-notice.tsx'

export function PasskeyButton({ onTokens }: { onTokens: (tokens: Tokens) => void }) {
  const signIn = usePasskeySignIn(onTokens)
  const failure = failureIn(signIn)
  // Browsers have passkeys only where the connection is safe, or the console is on this machine.
  if (!('PublicKeyCredential' in globalThis)) return null
  return (
    <div class="mt-3 grid gap-3">
      <Button onClick={() => signIn.mutate()} isBusy={signIn.isPending}>
        Use a passkey
      </Button>
      {failure && <ProblemNotice failure={failure} />}
    </div>
  )
}
