/** An address of the console that does not exist. */
import { ButtonLink } from '../parts/button.tsx'
import { Page } from '../parts/page.tsx'

export function NotFoundPage() {
  return (
    <Page title="No such page" lead="The address is mistyped or the page has moved.">
      <ButtonLink href="/">Go to the tunnels</ButtonLink>
    </Page>
  )
}
