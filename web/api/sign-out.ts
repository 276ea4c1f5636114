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
      // Firebase's refresh tokens are none of the server's business; there the access token says what ends.
      const isOurs = refreshToken?.startsWith('ptr_')
      const ended = isOurs && refreshToken ? calls.logout({ refreshToken }) : calls.logoutHere()
      // Without an answer the token is forgotten all the same, and its session lapses by itself.
      await ended.catch(() => undefined)
    },
    onSuccess: () => session.end(),
  })
}
