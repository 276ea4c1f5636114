/** A tunnel's address as a QR code, for a phone. */
import { useEffect, useState } from 'preact/hooks'
import { Button } from '../parts/button.tsx'
import { Dialog } from '../parts/dialog.tsx'

export function TunnelCode({ url, onClose }: { url: string; onClose: () => void }) {
  const [picture, setPicture] = useState<string>()
  // Few people want it, so that what draws it comes with the first of them.
  useEffect(() => {
    void import('uqr').then(({ renderSVG }) => setPicture(renderSVG(url, { border: 4 })))
  }, [url])
  return (
    <Dialog title="Open it on a phone" onClose={onClose}>
      <div class="mt-4 space-y-4 text-center">
        {picture && (
          <img
            class="mx-auto size-56 rounded-md"
            alt={`QR code of ${url}`}
            src={`data:image/svg+xml,${encodeURIComponent(picture)}`}
          />
        )}
        <p class="font-mono text-sm break-all">{url}</p>
        <Button onClick={onClose}>Close</Button>
      </div>
    </Dialog>
  )
}
