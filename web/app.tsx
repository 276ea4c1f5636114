/** Which page an address shows, and who may see it. */
import { consolePages } from '@porttunneler/shared/base/console-pages'
import { useSyncExternalStore } from 'preact/compat'
import { useEffect, useRef } from 'preact/hooks'
import { Redirect, Route, Switch, useLocation, useSearch } from 'wouter-preact'
import { gates } from './api/gates.ts'
import { failureIn, useMe } from './api/queries.ts'
import { useServices, useSignedIn } from './api/services.tsx'
import { goesOnWithoutTerms, useTermsWait } from './api/terms-queries.ts'
import { NotFoundPage } from './pages/not-found.tsx'
import { RegisterPage, SignInPage } from './pages/sign-in.tsx'
import { Announcer } from './parts/announcer.tsx'
import { Boundary } from './parts/boundary.tsx'
import { GuardedRouter } from './parts/guarded-router.tsx'
import { useKeptFocus } from './parts/kept-focus.ts'
import { LazyPage } from './parts/lazy-page.tsx'
import { nextAfterSignIn, signInAddress } from './parts/next.ts'
import { CrumbsContext, Page, Skeleton } from './parts/page.tsx'
import { ProblemNotice } from './parts/problem-notice.tsx'
import { roleTexts } from './parts/role-text.ts'
import { NarrowShell, Shell } from './parts/shell.tsx'
import { crumbsOf, maySee, type Place, places } from './routes.ts'

const confirm = async () => (await import('./pages/confirm.tsx')).ConfirmPage
const device = async () => (await import('./pages/device.tsx')).DevicePage
const forgotPassword = async () => (await import('./pages/forgotten.tsx')).ForgotPasswordPage
const resetPassword = async () => (await import('./pages/forgotten.tsx')).ResetPasswordPage
const invitation = async () => (await import('./pages/invitation.tsx')).InvitationPage
const waitList = async () => (await import('./pages/wait-list.tsx')).WaitListPage
const leaving = async () => (await import('./pages/leaving.tsx')).LeavingPage
const join = async () => (await import('./pages/join.tsx')).JoinPage
const returned = async () => (await import('./pages/returned.tsx')).ReturnedPage
const secondStep = async () => (await import('./pages/second-step.tsx')).SecondStepPage
const recover = async () => (await import('./pages/second-step.tsx')).RecoverPage
const publicPlans = async () => (await import('./pages/plans.tsx')).PublicPlansPage
const confirmAddress = async () => (await import('./pages/address-links.tsx')).ConfirmAddressPage
const stopAddress = async () => (await import('./pages/address-links.tsx')).StopAddressPage
const terms = async () => (await import('./pages/terms.tsx')).TermsPage

export function App() {
  const isSignedIn = useSignedIn()
  const isAsking = useAsking()
  useFocusOnNavigation()
  useKeptFocus()
  return (
    <Announcer>
      <GuardedRouter>
        {isSignedIn ? <SignedIn /> : <SignedOut />}
        {isAsking && <LazyPage load={confirm} />}
      </GuardedRouter>
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
  const code = useGate()
  const hasTerms = useTermsWait()
  const lacksFactor = code === gates.factorRequired
  const first = firstPage({ code, path, hasTerms })
  if (first) return first
  const toNext = () => <Redirect to={nextAfterSignIn(search)} replace />
  return (
    <Switch>
      <Route path={consolePages.signIn}>{toNext}</Route>
      <Route path={`${consolePages.signInWith}/:service`}>{narrow(<LazyPage load={returned} />)}</Route>
      <Route path={consolePages.register}>{toNext}</Route>
      <Route path={consolePages.forgotPassword}>{toNext}</Route>
      <Route path={consolePages.resetPassword}>{narrow(<LazyPage load={resetPassword} />)}</Route>
      <Route path={consolePages.device}>{narrow(<LazyPage load={device} />)}</Route>
      <Route path={consolePages.waitList}>{narrow(<LazyPage load={waitList} />)}</Route>
      <Route path={consolePages.join}>{narrow(<LazyPage load={join} />)}</Route>
      <Route path={consolePages.confirmAddress}>{narrow(<LazyPage load={confirmAddress} />)}</Route>
      <Route path={consolePages.stopAddress}>{narrow(<LazyPage load={stopAddress} />)}</Route>
      <Route>
        <Shell>
          {/* The page stays when the factor is there: it shows the recovery codes, once. */}
          {lacksFactor && <FactorNotice />}
          <Switch>
            {places.map((place) => (
              <Route key={place.path} path={place.path}>
                {({ id = '' }: { id?: string }) => (
                  <CrumbsContext.Provider value={crumbsOf(place)}>
                    <Boundary title={place.title} key={id}>
                      <At place={place} id={id} />
                    </Boundary>
                  </CrumbsContext.Provider>
                )}
              </Route>
            ))}
            <Route>
              <NotFoundPage />
            </Route>
          </Switch>
        </Shell>
      </Route>
    </Switch>
  )
}

type Standing = { readonly code: string | undefined; readonly path: string; readonly hasTerms: boolean }

/** The page that comes before all others, for a person who lacks something. */
function firstPage({ code, path, hasTerms }: Standing) {
  if (path === consolePages.recover) return narrow(<LazyPage load={recover} />)
  if (code === gates.secondStep) return narrow(<LazyPage load={secondStep} />)
  if (code === gates.personLeaves || code === gates.accountLeaves) return narrow(<LazyPage load={leaving} />)
  if (code === gates.noAccount && path !== consolePages.waitList && path !== consolePages.join)
    return narrow(<LazyPage load={invitation} />)
  if (code === gates.factorRequired)
    return path === consolePages.join || path === consolePages.security ? undefined : (
      <Redirect to={consolePages.security} replace />
    )
  if (path === consolePages.terms || (hasTerms && !goesOnWithoutTerms(path)))
    return narrow(<LazyPage load={terms} />)
  return undefined
}

/**
 * What the person lacks. While it is asked anew the last answer stands: else each asking, which the parts of the page
 * begin as well, would take the page away that the person needs, and with it what they have typed there.
 */
function useGate(): string | undefined {
  const me = useMe()
  const last = useRef<string>()
  if (!me.isPending) last.current = failureIn(me)?.problem.code
  return last.current
}

/** Pages of operators do not exist for others, and nor does their code; another page says what it needs. */
function At({ place, id }: { place: Place; id: string }) {
  const me = useMe()
  const isGuarded = place.group === 'operator' || place.needs !== undefined
  if (isGuarded && me.isPending) return <Skeleton what="the page" />
  if (place.group === 'operator' && !me.data?.operator) return <NotFoundPage />
  if (isGuarded && me.data && !maySee(place, me.data)) return <NotForYou title={place.title} />
  return 'Page' in place ? <place.Page id={id} /> : <LazyPage load={place.load} />
}

function NotForYou({ title }: { title: string }) {
  const role = useMe().data?.role
  return (
    <Page title={title}>
      <p class="text-muted">
        {role === undefined
          ? 'You may not see this page.'
          : `The role ${roleTexts[role].label} does not include this page.`}{' '}
        An owner or admin of the account can change your role.
      </p>
    </Page>
  )
}

/** The account asks for a factor: the page below is where to add one, and the menu leads to other accounts. */
function FactorNotice() {
  const failure = failureIn(useMe())
  return <div class="mb-5">{failure && <ProblemNotice failure={failure} />}</div>
}

function SignedOut() {
  const [path] = useLocation()
  const search = useSearch()
  return (
    <Switch>
      <Route path={consolePages.signIn}>{narrow(<SignInPage />)}</Route>
      <Route path={`${consolePages.signInWith}/:service`}>{narrow(<LazyPage load={returned} />)}</Route>
      <Route path={consolePages.register}>{narrow(<RegisterPage />)}</Route>
      <Route path={consolePages.forgotPassword}>{narrow(<LazyPage load={forgotPassword} />)}</Route>
      <Route path={consolePages.resetPassword}>{narrow(<LazyPage load={resetPassword} />)}</Route>
      <Route path={consolePages.stopAddress}>{narrow(<LazyPage load={stopAddress} />)}</Route>
      <Route path={consolePages.waitList}>{narrow(<LazyPage load={waitList} />)}</Route>
      <Route path={consolePages.plans}>{narrow(<LazyPage load={publicPlans} />)}</Route>
      <Route>
        <Redirect to={signInAddress(path, search)} replace />
      </Route>
    </Switch>
  )
}

function narrow(page: preact.JSX.Element) {
  return (
    <NarrowShell>
      <Boundary title="PortTunneler">{page}</Boundary>
    </NarrowShell>
  )
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
