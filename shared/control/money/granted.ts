/** What its plan gave an account, when it got the plan. */
export type Granted = {
  /** The catalogue's. */
  readonly version: number
  readonly limits: { readonly [limit: string]: number }
  readonly features: readonly string[]
}
