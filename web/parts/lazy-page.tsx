/** A page in a chunk of its own, for those that most visits do without. */
import type { ComponentType } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { ApiFailure } from '../api/failure.ts'
import { Skeleton } from './page.tsx'
import { ProblemNotice } from './problem-notice.tsx'

/** `load` is called once a mount; it must be the same function in every render. */
export function LazyPage({ load }: { load: () => Promise<ComponentType> }) {
  const [loaded, setLoaded] = useState<{ readonly Page?: ComponentType; readonly failure?: ApiFailure }>({})
  useEffect(() => {
    let isGone = false
    load().then(
      (Page) => !isGone && setLoaded({ Page }),
      (cause) => !isGone && setLoaded({ failure: notLoaded(cause) }),
    )
    return () => {
      isGone = true
    }
  }, [load])
  const { Page, failure } = loaded
  if (failure) return <ProblemNotice failure={failure} onRetry={() => location.reload()} />
  return Page ? <Page /> : <Skeleton what="the page" />
}

/** After an update of the server the chunks of the old page are gone. */
function notLoaded(cause: unknown): ApiFailure {
  return new ApiFailure(
    {
      title: 'This page could not be loaded',
      status: 0,
      detail: 'The server was updated since the console was opened, or it cannot be reached.',
      cure: 'Load the console again.',
    },
    { cause },
  )
}
