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
      const { refreshToken } = session
      const request = calls.logout({ everywhere, ...(refreshToken && { refreshToken }) })
      if (everywhere) await request
      // The refresh token is forgotten below; the family it belongs to lapses by itself if this call got lost.
      else await request.catch(() => undefined)
    },
    onSuccess: () => session.end(),
  })
}
