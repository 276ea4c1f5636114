/** Where the person is signed in. */
import { Page, Panel } from '../parts/page.tsx'
import { SessionsCard } from './sessions-card.tsx'

export function SessionsPage() {
  return (
    <Page title="Sessions" lead="Browsers in which you are signed in. API keys are apart from them.">
      <Panel>
        <SessionsCard />
      </Panel>
    </Page>
  )
}
