/** The same proof where Firebase keeps the accounts: the person signs in there once more. It brings its SDK along. */
import type { FirebaseSignIn as Config } from '@porttunneler/shared/api/schemas/service'
import { useMutation } from '@tanstack/react-query'
import { type Outcome, type Provider, signIn, signInWith } from '../api/firebase.ts'
import { failureIn, useConfig, useMe } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { Button } from '../parts/button.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { PasswordProof } from './confirm.tsx'
import { servicesOf } from './firebase.tsx'

export function FirebaseConfirm() {
  const config = useConfig().data?.firebase
  const email = useMe().data?.email
  const { calls } = useServices()
  if (!config || email === undefined) return null
  const send = async (outcome: Outcome | undefined) => {
    if (outcome && 'tokens' in outcome) await calls.confirm({ token: outcome.tokens.accessToken })
    return outcome !== undefined
  }
  return (
    <>
      <PasswordProof
        prove={async (password) => void (await send(await signIn(config, { email, password })))}
      />
      <ByProvider config={config} prove={async (name) => send(await signInWith(config, name))} />
    </>
  )
}

/** @param prove resolves to whether the person went on */
function ByProvider({ config, prove }: { config: Config; prove: (name: Provider) => Promise<boolean> }) {
  const { confirming } = useServices()
  const check = useMutation({
    mutationFn: prove,
    gcTime: 0,
    onSuccess: (isDone) => isDone && confirming.settle(true),
  })
  const failure = failureIn(check)
  return (
    <div class="mt-4 grid gap-3">
      <p class="text-sm text-muted">Without a password, confirm with the service that you sign in with.</p>
      {failure && <ProblemNotice failure={failure} />}
      {servicesOf(config).map(({ id, name }) => (
        <Button key={id} onClick={() => check.mutate(id)} isBusy={check.isPending && check.variables === id}>
          Confirm with {name}
        </Button>
      ))}
    </div>
  )
}
