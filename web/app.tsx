/** Which page an address shows, and who may see it. */
import { useSyncExternalStore } from 'preact/compat'
import { useEffect, useRef } from 'preact/hooks'
import { Redirect, Route, Switch, useLocation, useSearch } from 'wouter-preact'
import { failureIn, useMe } from './api/queries.ts'
import { useServices, useSignedIn } from './api/services.tsx'
import { goesOnWithoutTerms, useTermsWait } from './api/terms-queries.ts'
import { NotFoundPage } from './pages/not-found.tsx'
import { RegisterPage, SignInPage } from './pages/sign-in.tsx'
import { TunnelPage } from './pages/tunnel.tsx'
import { TunnelsPage } from './pages/tunnels.tsx'
import { Announcer } from './parts/announcer.tsx'
import { LazyPage } from './parts/lazy-page.tsx'
import { nextAfterSignIn, signInAddress } from './parts/next.ts'
import { Skeleton } from './parts/page.tsx'
import { ProblemNotice } from './parts/problem-notice.tsx'
import { NarrowShell, Shell } from './parts/shell.tsx'

const account = async () => (await import('./pages/account.tsx')).AccountPage
const confirm = async () => (await import('./pages/confirm.tsx')).ConfirmPage
const device = async () => (await import('./pages/device.tsx')).DevicePage
const forgotPassword = async () => (await import('./pages/forgotten.tsx')).ForgotPasswordPage
const resetPassword = async () => (await import('./pages/forgotten.tsx')).ResetPasswordPage
const domains = async () => (await import('./pages/domains.tsx')).DomainsPage
const names = async () => (await import('./pages/names.tsx')).NamesPage
const invitation = async () => (await import('./pages/invitation.tsx')).InvitationPage
const waitList = async () => (await import('./pages/wait-list.tsx')).WaitListPage
const members = async () => (await import('./pages/members.tsx')).MembersPage
const mails = async () => (await import('./pages/mails.tsx')).MailsPage
const leaving = async () => (await import('./pages/leaving.tsx')).LeavingPage
const join = async () => (await import('./pages/join.tsx')).JoinPage
const returned = async () => (await import('./pages/returned.tsx')).ReturnedPage
const security = async () => (await import('./pages/security.tsx')).SecurityPage
const secondStep = async () => (await import('./pages/second-step.tsx')).SecondStepPage
const recover = async () => (await import('./pages/second-step.tsx')).RecoverPage
const plans = async () => (await import('./pages/plans.tsx')).PlansPage
const publicPlans = async () => (await import('./pages/plans.tsx')).PublicPlansPage
const confirmAddress = async () => (await import('./pages/address-links.tsx')).ConfirmAddressPage
const stopAddress = async () => (await import('./pages/address-links.tsx')).StopAddressPage
const operator = async () => (await import('./pages/operator.tsx')).OperatorPage
const operatorPerson = async () => (await import('./pages/operator-person.tsx')).OperatorPersonPage
const operatorAccount = async () => (await import('./pages/operator-account.tsx')).OperatorAccountPage
const terms = async () => (await import('./pages/terms.tsx')).TermsPage
const keys = async () => (await import('./pages/keys.tsx')).KeysPage

/** What a person may lack for everything else, as `/v1/me` says. */
const codes = {
  noAccount: 'PT-1015',
  personLeaves: 'PT-1130',
  accountLeaves: 'PT-1131',
  secondStep: 'PT-1201',
  factorRequired: 'PT-1202',
} as const

export function App() {
  const isSignedIn = useSignedIn()
  const isAsking = useAsking()
  useFocusOnNavigation()
  return (
    <Announcer>
      {isSignedIn ? <SignedIn /> : <SignedOut />}
      {isAsking && <LazyPage load={confirm} />}
    </Announcer>
  )
}

function useAsking(): boolean {
  const { confirming } = useServices()
  return useSyncExternalStore(
    (onChange) => confirming.subscribe(onChange),
    () => confirming.isAsking,
  )
}

function SignedIn() {
  const search = useSearch()
  const [path] = useLocation()
  const code = failureIn(useMe())?.problem.code
  const hasTerms = useTermsWait()
  if (path === '/recover') return narrow(<LazyPage load={recover} />)
  if (code === codes.secondStep) return narrow(<LazyPage load={secondStep} />)
  if (code === codes.personLeaves || code === codes.accountLeaves) return narrow(<LazyPage load={leaving} />)
  if (code === codes.noAccount && path !== '/wait-list' && path !== '/join')
    return narrow(<LazyPage load={invitation} />)
  if (code === codes.factorRequired && path !== '/join') return <FactorRequired />
  if (path === '/terms' || (hasTerms && !goesOnWithoutTerms(path))) return narrow(<LazyPage load={terms} />)
  const toNext = () => <Redirect to={nextAfterSignIn(search)} replace />
  return (
    <Switch>
      <Route path="/sign-in">{toNext}</Route>
      <Route path="/sign-in/with/:service">{narrow(<LazyPage load={returned} />)}</Route>
      <Route path="/register">{toNext}</Route>
      <Route path="/forgot-password">{toNext}</Route>
      <Route path="/reset-password">{narrow(<LazyPage load={resetPassword} />)}</Route>
      <Route path="/device">{narrow(<LazyPage load={device} />)}</Route>
      <Route path="/wait-list">{narrow(<LazyPage load={waitList} />)}</Route>
      <Route path="/join">{narrow(<LazyPage load={join} />)}</Route>
      <Route path="/confirm-address">{narrow(<LazyPage load={confirmAddress} />)}</Route>
      <Route path="/stop-address">{narrow(<LazyPage load={stopAddress} />)}</Route>
      <Route>
        <Shell>
          <Switch>
            <Route path="/">
              <TunnelsPage />
            </Route>
            <Route path="/tunnels/:id">{({ id }) => <TunnelPage id={id} key={id} />}</Route>
            <Route path="/keys">
              <LazyPage load={keys} />
            </Route>
            <Route path="/names">
              <LazyPage load={names} />
            </Route>
            <Route path="/domains">
              <LazyPage load={domains} />
            </Route>
            <Route path="/members">
              <LazyPage load={members} />
            </Route>
            <Route path="/mails">
              <LazyPage load={mails} />
            </Route>
            <Route path="/operator/*?">
              <OperatorPages />
            </Route>
            <Route path="/security">
              <LazyPage load={security} />
            </Route>
            <Route path="/plans">
              <LazyPage load={plans} />
            </Route>
            <Route path="/account">
              <LazyPage load={account} />
            </Route>
            <Route>
              <NotFoundPage />
            </Route>
          </Switch>
        </Shell>
      </Route>
    </Switch>
  )
}

/** To everybody else they do not exist, and nor does their code. */
function OperatorPages() {
  const me = useMe()
  if (me.isPending) return <Skeleton what="the page" />
  if (!me.data?.operator) return <NotFoundPage />
  return (
    <Switch>
      <Route path="/operator">
        <LazyPage load={operator} />
      </Route>
      <Route path="/operator/people/:id">
        <LazyPage load={operatorPerson} />
      </Route>
      <Route path="/operator/accounts/:id">
        <LazyPage load={operatorAccount} />
      </Route>
      <Route>
        <NotFoundPage />
      </Route>
    </Switch>
  )
}

/** The account asks for a factor: here is where to add one, and the menu leads to other accounts. */
function FactorRequired() {
  const failure = failureIn(useMe())
  return (
    <Shell>
      <div class="space-y-5">
        {failure && <ProblemNotice failure={failure} />}
        <LazyPage load={security} />
      </div>
    </Shell>
  )
}

function SignedOut() {
  const [path] = useLocation()
  const search = useSearch()
  return (
    <Switch>
      <Route path="/sign-in">{narrow(<SignInPage />)}</Route>
      <Route path="/sign-in/with/:service">{narrow(<LazyPage load={returned} />)}</Route>
      <Route path="/register">{narrow(<RegisterPage />)}</Route>
      <Route path="/forgot-password">{narrow(<LazyPage load={forgotPassword} />)}</Route>
      <Route path="/reset-password">{narrow(<LazyPage load={resetPassword} />)}</Route>
      <Route path="/stop-address">{narrow(<LazyPage load={stopAddress} />)}</Route>
      <Route path="/wait-list">{narrow(<LazyPage load={waitList} />)}</Route>
      <Route path="/plans">{narrow(<LazyPage load={publicPlans} />)}</Route>
      <Route>
        <Redirect to={signInAddress(path, search)} replace />
      </Route>
    </Switch>
  )
}

function narrow(page: preact.JSX.Element) {
  return <NarrowShell>{page}</NarrowShell>
}

/** After a link was followed the focus goes to the new heading, unless a field of the page took it. */
function useFocusOnNavigation(): void {
  const [path] = useLocation()
  const last = useRef(path)
  useEffect(() => {
    if (last.current === path) return
    last.current = path
    const focused = document.activeElement
    if (focused instanceof HTMLInputElement) return
    const start = document.querySelector('h1') ?? document.getElementById('main')
    start?.focus()
    scrollTo(0, 0)
  }, [path])
}
