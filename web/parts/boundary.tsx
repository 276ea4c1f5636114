/** What a page shows that failed while it was drawn: the navigation stays, and other pages work. */
import { Component, type ComponentChildren } from 'preact'
import { toFailure } from '../api/failure.ts'
import { Page } from './page.tsx'
import { ProblemNotice } from './problem-notice.tsx'

type Props = { readonly title: string; readonly children: ComponentChildren }
type State = { readonly error: unknown; readonly hasFailed: boolean }

export class Boundary extends Component<Props, State> {
  override state: State = { error: undefined, hasFailed: false }

  static override getDerivedStateFromError(error: unknown): State {
    return { error, hasFailed: true }
  }

  override componentDidCatch(error: unknown): void {
    // It shows in the browser's console, as any other error of a script does, and tests see it there.
    reportError(error)
  }

  override render({ title, children }: Props, { error, hasFailed }: State) {
    if (!hasFailed) return children
    return (
      <Page title={title}>
        <ProblemNotice
          failure={toFailure(error)}
          onRetry={() => this.setState({ error: undefined, hasFailed: false })}
        />
      </Page>
    )
  }
}
