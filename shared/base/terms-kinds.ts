/** The kinds of documents that a service may ask people to accept, and their names for people. */
export const termsKinds = ['terms', 'acceptable-use', 'privacy'] as const
export type TermsKind = (typeof termsKinds)[number]

export const termsNames: Readonly<Record<TermsKind, string>> = {
  terms: 'Terms of use',
  'acceptable-use': 'Rules of acceptable use',
  privacy: 'Privacy notice',
}
