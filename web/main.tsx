/** The console's start: makes the parts that live as long as the page does and renders the app. */
import { systemClock } from '@porttunneler/shared/base/clock'
import { QueryClientProvider } from '@tanstack/react-query'
import { render } from 'preact'
import { AccountChoice } from './api/account-choice.ts'
import { makeCalls } from './api/calls.ts'
import { Confirming, confirmedRequests } from './api/confirming.ts'
import { makeRefresh } from './api/firebase-refresh.ts'
import { LiveFeed } from './api/live.ts'
import { openStreamWith } from './api/live-stream.ts'
import { OperatorView } from './api/operator-view.ts'
import { makeQueryClient } from './api/queries.ts'
import { makeRequests } from './api/requests.ts'
import { ServicesContext } from './api/services.tsx'
import { Session } from './api/session.ts'
import { exclusively, keptStorage } from './api/tabs.ts'
import { App } from './app.tsx'
import './style.css'

const clock = systemClock
const fetch = globalThis.fetch.bind(globalThis)
const storage = keptStorage(() => localStorage)
const choice = new AccountChoice(
  keptStorage(() => sessionStorage),
  storage,
)
const view = new OperatorView(
  keptStorage(() => sessionStorage),
  clock,
  () => location.assign('/operator?view=over'),
)
const confirming = new Confirming()
const requests = makeRequests(() => session, fetch, choice, view)
const calls = makeCalls(confirmedRequests(requests, confirming))
const session = new Session({
  storage,
  clock,
  refresh: makeRefresh(calls, fetch),
  exclusively,
})
const live = new LiveFeed({
  watch: calls.watch,
  openStream: openStreamWith(fetch),
  clock,
  random: Math.random,
})
const queries = makeQueryClient()

window.addEventListener('storage', (event) => session.onStorage(event.key))
// What one person read must not be there when the next one signs in. Only the end itself clears it: a second clearing
// would take away what the page of signing in has begun to read, and its buttons with it.
let wasSignedIn = session.isSignedIn
session.subscribe(() => {
  const isOver = wasSignedIn && !session.isSignedIn
  wasSignedIn = session.isSignedIn
  if (!isOver) return
  confirming.settle(false)
  choice.forget()
  view.forget()
  live.forget()
  queries.clear()
})
const accountId = () => choice.id
/** Loads the console anew, so that nothing stays that was read of the account before. */
const switchAccount = (id: string) => {
  choice.choose(id, session.person)
  location.assign('/')
}
const leaveAccount = () => {
  choice.forget()
  location.assign('/')
}

const root = document.getElementById('app')
if (root) {
  render(
    <ServicesContext.Provider
      value={{ calls, session, confirming, live, view, clock, accountId, switchAccount, leaveAccount }}
    >
      <QueryClientProvider client={queries}>
        <App />
      </QueryClientProvider>
    </ServicesContext.Provider>,
    root,
  )
}
