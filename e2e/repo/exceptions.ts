/**
 * What tidy lets pass, each with its reason. The list may only shrink: an exception that excuses nothing fails too.
 * A file stands for a file as a whole under one rule.
 */
export type Exception = {
  readonly rule: string
  readonly path: string
  /** Part of the message, so that an exception excuses one thing and not a whole file. */
  readonly message?: string
  readonly because: string
}

export const exceptions: readonly Exception[] = []
