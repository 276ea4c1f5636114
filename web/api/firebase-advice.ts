/** Firebase's reasons in our words. Where the API has the same failure, the code is the API's. */

export type Advice = {
  readonly code?: string
  readonly status: number
  readonly title: string
  readonly detail: string
  readonly cure: string
}

const wrong: Advice = {
  code: 'PT-1002',
  status: 401,
  title: 'Address or password wrong',
  detail: 'The password is not right, or nobody has this address.',
  cure: 'Check both, or ask for a new password with "forgot the password".',
}
const stale: Advice = {
  code: 'PT-1001',
  status: 401,
  title: 'Not signed in',
  detail: 'The sign-in has ended meanwhile.',
  cure: 'Sign in again.',
}

export const withoutAddress = {
  code: 'PT-1011',
  status: 403,
  title: 'Sign-in without an address',
  detail: 'The sign-in service gave no e-mail address, and an account needs one.',
  cure: 'Let the service that you sign in with share your address, or sign in in another way.',
} as const satisfies Advice

const advice: Readonly<Record<string, Advice>> = {
  'auth/invalid-credential': wrong,
  'auth/wrong-password': wrong,
  'auth/user-not-found': wrong,
  'auth/invalid-email': {
    ...wrong,
    title: 'Not an address',
    detail: 'This is no e-mail address.',
    cure: 'Check it.',
  },
  'auth/user-token-expired': stale,
  'auth/requires-recent-login': stale,
  'auth/email-already-in-use': {
    code: 'PT-1004',
    status: 409,
    title: 'Address already registered',
    detail: 'A user with this e-mail address exists already.',
    cure: 'Sign in with it, or ask for a new password with "forgot the password".',
  },
  'auth/account-exists-with-different-credential': {
    status: 409,
    title: 'Address known by another sign-in',
    detail: 'This address has an account already, made with another way to sign in.',
    cure: 'Sign in that other way: with the password, or with the service that you used first.',
  },
  'auth/too-many-requests': {
    code: 'PT-1003',
    status: 429,
    title: 'Too many attempts',
    detail: 'Too many sign-ins failed, or too many mails were asked for, in a short time.',
    cure: 'Wait for some minutes, then try again.',
  },
  'auth/user-disabled': {
    code: 'PT-1006',
    status: 403,
    title: 'User disabled',
    detail: 'This user was disabled by an operator.',
    cure: 'Ask the operator of the service.',
  },
  // What the SDK says when its script for the other window was kept out.
  'auth/internal-error': {
    status: 502,
    title: 'The other sign-in could not be opened',
    detail: "A script of Google's, which opens its window, was not loaded.",
    cure: 'Check the network, and whether a blocker in the browser keeps apis.google.com out; or use the password.',
  },
  'auth/weak-password': {
    status: 400,
    title: 'Password too easy to guess',
    detail: 'The sign-in service does not take this password.',
    cure: 'Choose a longer one: a few unrelated words are easy to keep in mind.',
  },
  'auth/admin-restricted-operation': {
    code: 'PT-1009',
    status: 403,
    title: 'Registration closed',
    detail: 'This service does not let strangers make accounts.',
    cure: 'Ask its operator for one.',
  },
}

export function adviceOf(code: string): Advice | undefined {
  return Object.hasOwn(advice, code) ? advice[code] : undefined
}
