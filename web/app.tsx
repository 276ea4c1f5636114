/** Which page an address shows, and who may see it. */
import { useEffect, useRef } from 'preact/hooks'
import { Redirect, Route, Switch, useLocation, useSearch } from 'wouter-preact'
import { useSignedIn } from './api/services.tsx'
import { AccountPage } from './pages/account.tsx'
import { DevicePage } from './pages/device.tsx'
import { ForgotPasswordPage, ResetPasswordPage } from './pages/forgotten.tsx'
import { KeysPage } from './pages/keys.tsx'
import { NotFoundPage } from './pages/not-found.tsx'
import { RegisterPage, SignInPage } from './pages/sign-in.tsx'
import { TunnelPage } from './pages/tunnel.tsx'
import { TunnelsPage } from './pages/tunnels.tsx'
import { Announcer } from './parts/announcer.tsx'
import { nextAfterSignIn, signInAddress } from './parts/next.ts'
import { NarrowShell, Shell } from './parts/shell.tsx'

export function App() {
  const isSignedIn = useSignedIn()
  useFocusOnNavigation()
  return <Announcer>{isSignedIn ? <SignedIn /> : <SignedOut />}</Announcer>
}

function SignedIn() {
  const search = useSearch()
  const toNext = () => <Redirect to={nextAfterSignIn(search)} replace />
  return (
    <Switch>
      <Route path="/sign-in">{toNext}</Route>
      <Route path="/register">{toNext}</Route>
      <Route path="/forgot-password">{toNext}</Route>
      <Route path="/reset-password">{narrow(<ResetPasswordPage />)}</Route>
      <Route path="/device">{narrow(<DevicePage />)}</Route>
      <Route>
        <Shell>
          <Switch>
            <Route path="/">
              <TunnelsPage />
            </Route>
            <Route path="/tunnels/:id">{({ id }) => <TunnelPage id={id} key={id} />}</Route>
            <Route path="/keys">
              <KeysPage />
            </Route>
            <Route path="/account">
              <AccountPage />
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

function SignedOut() {
  const [path] = useLocation()
  const search = useSearch()
  return (
    <Switch>
      <Route path="/sign-in">{narrow(<SignInPage />)}</Route>
      <Route path="/register">{narrow(<RegisterPage />)}</Route>
      <Route path="/forgot-password">{narrow(<ForgotPasswordPage />)}</Route>
      <Route path="/reset-password">{narrow(<ResetPasswordPage />)}</Route>
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
    document.querySelector('h1')?.focus()
    scrollTo(0, 0)
  }, [path])
}
