/** Signing out here or everywhere. */
import { useMutation } from '@tanstack/react-query'
import { useServices } from './services.tsx'

/**
 * Signing out here ends the session in this browser whatever the server says; signing out everywhere is only true
 * when the server did it, so its failure is shown and the session stays.
 */
export function useSignOut() {
  const { calls, session } = useServices()
  return useMutation({
    mutationFn: async ({ everywhere }: { everywhere: boolean }) => {
      if (everywhere) return calls.logoutEverywhere()
      const { refreshToken } = session
      // Firebase ends no single session: this browser forgets it.
      // Without an answer the token is forgotten all the same, and its session lapses by itself.
      if (refreshToken?.startsWith('ptr_')) await calls.logout({ refreshToken }).catch(() => undefined)
    },
    onSuccess: () => session.end(),
  })
}
