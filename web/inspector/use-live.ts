/** Reads again whenever the inspector says that something has changed; one reading at a time. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { type ApiFailure, toFailure } from '../api/failure.ts'
import type { InspectorApi } from './api.ts'

/** @returns a number that rises with each change, and whether changes arrive */
export function useRevision(api: InspectorApi): { readonly revision: number; readonly isLive: boolean } {
  const [state, setState] = useState({ revision: 0, isLive: false })
  useEffect(() => {
    const events = new EventSource(api.address('/api/live'))
    events.onmessage = ({ data }) => setState({ revision: JSON.parse(data).revision, isLive: true })
    // The browser tries again by itself.
    events.onerror = () => setState(({ revision }) => ({ revision, isLive: false }))
    return () => events.close()
  }, [api])
  return state
}

export type Loaded<T> = { readonly value: T | undefined; readonly failure: ApiFailure | undefined }

/**
 * @param key what is read; when it changes, the old value goes
 * @param revision reads again when it rises
 */
export function useLoaded<T>(key: string, revision: number, load: () => Promise<T>): Loaded<T> {
  const [state, setState] = useState<Loaded<T> & { readonly key: string }>({
    key,
    value: undefined,
    failure: undefined,
  })
  const current = useRef({ key, isBusy: false, isDue: false, load })
  current.current.load = load
  useEffect(() => {
    const now = current.current
    if (now.key !== key) Object.assign(now, { key, isBusy: false, isDue: false })
    const read = async () => {
      if (now.isBusy) {
        now.isDue = true
        return
      }
      now.isBusy = true
      const settle = (next: Loaded<T>) => {
        if (now.key !== key) return
        now.isBusy = false
        setState({ key, ...next })
        if (!now.isDue) return
        now.isDue = false
        void read()
      }
      await now.load().then(
        (value) => settle({ value, failure: undefined }),
        (error: unknown) => settle({ value: undefined, failure: toFailure(error) }),
      )
    }
    void read()
  }, [key, revision])
  return state.key === key ? state : { value: undefined, failure: undefined }
}
