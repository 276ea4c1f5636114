/** A page in a chunk of its own, for those that most visits do without. */
import type { ComponentType } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { ApiFailure } from '../api/failure.ts'
import { Skeleton } from './page.tsx'
import { ProblemNotice } from './problem-notice.tsx'

type Load = () => Promise<ComponentType>
type Loaded = { readonly load: Load; readonly Page?: ComponentType; readonly failure?: ApiFailure }

/** `load` is called once a mount; it must be the same function in every render. */
export function LazyPage({ load }: { load: Load }) {
  const [loaded, setLoaded] = useState<Loaded>({ load })
  useEffect(() => {
    let isGone = false
    load().then(
      (Page) => !isGone && setLoaded({ load, Page }),
      (cause) => !isGone && setLoaded({ load, failure: notLoaded(cause) }),
    )
    return () => {
      isGone = true
    }
  }, [load])
  // The same element may stand for the page before: its page must not show under this one's address.
  const { Page, failure } = loaded.load === load ? loaded : {}
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
