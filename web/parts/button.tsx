/** Buttons and links that look alike. One accent button a view; danger only where something is lost. */
import type { ButtonHTMLAttributes, ComponentChildren } from 'preact'
import { Link } from 'wouter-preact'

type Look = 'accent' | 'plain' | 'quiet' | 'danger'

const shared =
  'inline-flex min-h-9 pointer-coarse:min-h-11 items-center justify-center gap-2 rounded-md px-3.5 text-sm font-semibold transition-colors disabled:opacity-60 whitespace-nowrap'
const looks: Record<Look, string> = {
  accent: 'bg-accent text-on-accent hover:bg-accent-strong',
  plain: 'border border-line bg-surface text-text hover:bg-raised',
  quiet: 'text-muted hover:bg-raised hover:text-text',
  danger: 'border border-danger/50 bg-surface text-danger hover:bg-danger-soft',
}

type ButtonProps = Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'class'> & {
  look?: Look
  /** Shows that the work goes on and takes no second click. */
  isBusy?: boolean
  children: ComponentChildren
}

export function Button({ look = 'plain', isBusy = false, type = 'button', children, ...rest }: ButtonProps) {
  return (
    <button
      {...rest}
      type={type}
      class={`${shared} ${looks[look]}`}
      aria-disabled={isBusy || undefined}
      aria-busy={isBusy || undefined}
      onClick={isBusy ? (event) => event.preventDefault() : rest.onClick}
    >
      {isBusy && (
        <span
          aria-hidden="true"
          class="size-4 animate-spin rounded-full border-2 border-current border-t-transparent"
        />
      )}
      {children}
    </button>
  )
}

export function ButtonLink({
  href,
  look = 'plain',
  children,
}: {
  href: string
  look?: Look
  children: ComponentChildren
}) {
  return (
    <Link href={href} class={`${shared} ${looks[look]} no-underline`}>
      {children}
    </Link>
  )
}

/** A link inside a sentence. */
export function TextLink({ href, children }: { href: string; children: ComponentChildren }) {
  return (
    <Link href={href} class="font-medium text-accent underline underline-offset-2 hover:text-accent-strong">
      {children}
    </Link>
  )
}
