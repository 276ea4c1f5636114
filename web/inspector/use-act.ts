/** Does one thing at a time for a button, and keeps what went wrong. */
import { useState } from 'preact/hooks'
import { type ApiFailure, toFailure } from '../api/failure.ts'

export type Act = {
  readonly isBusy: boolean
  readonly failure: ApiFailure | undefined
  run(work: () => Promise<unknown>): void
}

export function useAct(): Act {
  const [state, setState] = useState<Pick<Act, 'isBusy' | 'failure'>>({ isBusy: false, failure: undefined })
  const run = (work: () => Promise<unknown>) => {
    setState({ isBusy: true, failure: undefined })
    work().then(
      () => setState({ isBusy: false, failure: undefined }),
      (error: unknown) => setState({ isBusy: false, failure: toFailure(error) }),
    )
  }
  return { ...state, run }
}
