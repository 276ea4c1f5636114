/** Form fields: label, control, hint and error belong together for eyes and for screen readers alike. */
import type {
  ComponentChildren,
  InputHTMLAttributes,
  SelectHTMLAttributes,
  TextareaHTMLAttributes,
} from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'

const control =
  'mt-1.5 w-full rounded-md border border-edge bg-surface px-3 text-text placeholder:text-muted aria-invalid:border-danger'

type Around = {
  readonly label: string
  readonly hint?: ComponentChildren
  readonly error?: string | undefined
}

type TextFieldProps = Around & Omit<InputHTMLAttributes<HTMLInputElement>, 'class' | 'id' | 'label'>

export function TextField({ label, hint, error, ...rest }: TextFieldProps) {
  const id = useId()
  const ref = useAutofocus<HTMLInputElement>(rest.autofocus)
  return (
    <Labelled id={id} label={label} hint={hint} error={error}>
      <input
        {...rest}
        ref={ref}
        id={id}
        class={`${control} h-9 pointer-coarse:h-11`}
        aria-invalid={error ? true : undefined}
        aria-describedby={describedBy(id, hint, error)}
      />
    </Labelled>
  )
}

type SelectFieldProps = Around & Omit<SelectHTMLAttributes<HTMLSelectElement>, 'class' | 'id' | 'label'>

export function SelectField({ label, hint, error, children, ...rest }: SelectFieldProps) {
  const id = useId()
  return (
    <Labelled id={id} label={label} hint={hint} error={error}>
      <select
        {...rest}
        id={id}
        class={`${control} h-9 pointer-coarse:h-11`}
        aria-invalid={error ? true : undefined}
        aria-describedby={describedBy(id, hint, error)}
      >
        {children}
      </select>
    </Labelled>
  )
}

type TextAreaProps = Around & Omit<TextareaHTMLAttributes<HTMLTextAreaElement>, 'class' | 'id' | 'label'>

export function TextArea({ label, hint, error, ...rest }: TextAreaProps) {
  const id = useId()
  const ref = useAutofocus<HTMLTextAreaElement>(rest.autofocus)
  return (
    <Labelled id={id} label={label} hint={hint} error={error}>
      <textarea
        rows={4}
        spellcheck={false}
        {...rest}
        ref={ref}
        id={id}
        class={`${control} py-2 font-mono text-sm`}
        aria-invalid={error ? true : undefined}
        aria-describedby={describedBy(id, hint, error)}
      />
    </Labelled>
  )
}

function Labelled({
  id,
  label,
  hint,
  error,
  children,
}: Around & { id: string; children: ComponentChildren }) {
  return (
    <div>
      <label for={id} class="text-sm font-semibold">
        {label}
      </label>
      {children}
      {hint && (
        <p id={`${id}-hint`} class="mt-1 text-sm text-muted">
          {hint}
        </p>
      )}
      {error && (
        <p id={`${id}-error`} class="mt-1 text-sm font-medium text-danger">
          {error}
        </p>
      )}
    </div>
  )
}

/** Browsers heed the attribute for the first page of a document only (and in dialogs as they open). */
function useAutofocus<T extends HTMLElement>(isWanted: unknown) {
  const ref = useRef<T>(null)
  useEffect(() => {
    if (isWanted) ref.current?.focus()
  }, [isWanted])
  return ref
}

function describedBy(id: string, hint: ComponentChildren, error: string | undefined): string | undefined {
  return [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(' ') || undefined
}

/** A choice with its explanation. */
export function Checkbox({
  label,
  hint,
  isChecked,
  onChange,
}: {
  label: string
  hint: string
  isChecked: boolean
  onChange: (isChecked: boolean) => void
}) {
  const id = useId()
  return (
    <div class="flex gap-3">
      <input
        id={id}
        type="checkbox"
        class="mt-0.5 size-5 shrink-0 accent-accent"
        checked={isChecked}
        onChange={(event) => onChange(event.currentTarget.checked)}
        aria-describedby={`${id}-hint`}
      />
      <div>
        <label for={id} class="block font-medium">
          {label}
        </label>
        <p id={`${id}-hint`} class="text-sm text-muted">
          {hint}
        </p>
      </div>
    </div>
  )
}
