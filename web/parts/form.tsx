/**
 * The one way of the console's forms to the API: values and changes, refusals at their fields, what somebody else has
 * changed meanwhile (412), a question before changes are lost, and the focus where the trouble is.
 */
import type { ComponentChildren, RefObject } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { ApiFailure } from '../api/failure.ts'
import { failureIn } from '../api/queries.ts'
import { Button } from './button.tsx'
import { changedBetween, type FormValues, type Issue, onTopOf, sortIssues } from './form-values.ts'
import { ProblemNotice } from './problem-notice.tsx'
import { useUnsaved } from './unsaved.ts'

/** The part of TanStack's mutation that a form needs. */
type Act<Wish> = {
  readonly isPending: boolean
  readonly error: Error | null
  mutate(wish: Wish, options?: { readonly onSuccess?: () => void }): void
  reset(): void
}

type Versioned<Values> = { readonly values: Values; readonly revision: number }

type Options<Values extends FormValues, Wish> = {
  /** What the fields show as long as nobody has typed. */
  readonly initial: Values
  readonly act: Act<Wish>
  /** @returns what is sent, or what is wrong, by field: then nothing is sent */
  readonly toWish: (values: Values, revision: number) => Wish | Wrong<Values>
  /** Better words for the refusals of a field than those of the API. */
  readonly refused?: (
    values: Values,
    issues: readonly Issue[],
  ) => Partial<Record<keyof Values, string | undefined>>
  /** For what has revisions: that of `initial`, which stays what the change builds on, and how to read the newest. */
  readonly version?: {
    readonly revision: number
    readonly newest: () => Promise<Versioned<Values> | undefined>
  }
  /** Not for what people type to sign in: a sign-in leaves the page by itself. */
  readonly isGuarded?: boolean
  readonly onSent?: () => void
}

/** What the form itself finds, before anything is sent. */
export class Wrong<Values> {
  readonly fields: Partial<Record<keyof Values, string>>
  constructor(fields: Partial<Record<keyof Values, string>>) {
    this.fields = fields
  }
}

export type ApiForm<Values extends FormValues> = {
  readonly values: Values
  readonly isDirty: boolean
  readonly isBusy: boolean
  /** What no field says. */
  readonly failure: ApiFailure | undefined
  readonly errors: Partial<Record<keyof Values, string | undefined>>
  /** Somebody else changed these since the form was opened. */
  readonly conflict: undefined | Conflict<Values>
  readonly element: RefObject<HTMLFormElement>
  set(changes: Partial<Values>): void
  submit(): void
  /** The properties of a text field or an area. */
  text(name: keyof Values & string): {
    name: string
    value: string
    error: string | undefined
    onInput: (event: { currentTarget: { value: string } }) => void
  }
  /** The properties of a choice. */
  choice(name: keyof Values & string): {
    value: string
    error: string | undefined
    onChange: (event: { currentTarget: { value: string } }) => void
  }
  /** The properties of a checkbox. */
  check(name: keyof Values & string): { isChecked: boolean; onChange: (isChecked: boolean) => void }
}

type Conflict<Values> = {
  readonly changed: readonly (keyof Values & string)[]
  takeTheirs(): void
  saveMine(): void
}

export function useApiForm<Values extends FormValues, Wish>(options: Options<Values, Wish>): ApiForm<Values> {
  const { act, toWish, version, isGuarded = true } = options
  const element = useRef<HTMLFormElement>(null)
  // An edit of something with revisions builds on what it started from, though that is read again meanwhile.
  const [start, setStart] = useState({ values: options.initial, revision: version?.revision ?? 0 })
  const [changes, setChanges] = useState<Partial<Values>>({})
  const [wrong, setWrong] = useState<Wrong<Values>['fields']>({})
  const initial = version ? start.values : options.initial
  const values = { ...initial, ...changes }
  const isDirty = changedBetween(initial, values).length > 0
  const failure = failureIn(act)
  const issues = failure?.problem.issues ?? []
  const { fields, rest } = sortIssues(values, issues)
  const errors = { ...fields, ...options.refused?.(values, issues), ...wrong }
  useDraft(element, isGuarded && isDirty && !act.isPending)
  useFocusOnTrouble(element, act.error ?? wrong)

  const send = (sent: Values, revision: number) => {
    const wish = toWish(sent, revision)
    setWrong(wish instanceof Wrong ? wish.fields : {})
    if (wish instanceof Wrong) return
    act.mutate(wish, {
      onSuccess: () => {
        setChanges({})
        options.onSent?.()
      },
    })
  }
  const set = (more: Partial<Values>) => setChanges((last) => ({ ...last, ...more }))
  const conflict = useConflict({
    version: failure?.status === 412 ? version : undefined,
    from: initial,
    take: (theirs) => {
      setStart(theirs)
      setChanges({})
      act.reset()
    },
    save: (theirs) => {
      const merged = onTopOf(theirs.values, initial, values)
      setStart(theirs)
      setChanges(merged)
      send(merged, theirs.revision)
    },
  })
  return {
    values,
    isDirty,
    isBusy: act.isPending,
    failure: left(failure, rest),
    errors,
    conflict,
    element,
    set,
    submit: () => {
      if (!act.isPending) send(values, start.revision)
    },
    ...fieldsOf(values, errors, set),
  }
}

function fieldsOf<Values extends FormValues>(
  values: Values,
  errors: ApiForm<Values>['errors'],
  set: (changes: Partial<Values>) => void,
): Pick<ApiForm<Values>, 'text' | 'choice' | 'check'> {
  const put = (name: keyof Values, value: string | boolean) =>
    set({ [name]: value } as unknown as Partial<Values>)
  const onText = (name: keyof Values) => (event: { currentTarget: { value: string } }) =>
    put(name, event.currentTarget.value)
  return {
    text: (name) => ({ name, value: String(values[name]), error: errors[name], onInput: onText(name) }),
    choice: (name) => ({ value: String(values[name]), error: errors[name], onChange: onText(name) }),
    check: (name) => ({
      isChecked: values[name] === true,
      onChange: (isChecked) => put(name, isChecked),
    }),
  }
}

/** A failure without what stands at its fields; undefined when nothing is left to say. */
function left(failure: ApiFailure | undefined, rest: Issue[]): ApiFailure | undefined {
  const all = failure?.problem.issues
  if (!failure || !all || rest.length === all.length) return failure
  return rest.length === 0 ? undefined : new ApiFailure({ ...failure.problem, issues: rest })
}

function useDraft(element: RefObject<HTMLFormElement>, isDirty: boolean): void {
  const unsaved = useUnsaved()
  const now = useRef(isDirty)
  now.current = isDirty
  useEffect(
    () => unsaved.add({ element: () => element.current, isDirty: () => now.current }),
    [unsaved, element],
  )
}

/** The first field that is wrong, else what the notice says. */
function useFocusOnTrouble(element: RefObject<HTMLFormElement>, trouble: object | undefined): void {
  const last = useRef(trouble)
  useEffect(() => {
    if (last.current === trouble) return
    last.current = trouble
    const place =
      element.current?.querySelector<HTMLElement>('[aria-invalid="true"]') ??
      element.current?.querySelector<HTMLElement>('[data-trouble]')
    place?.focus()
  })
}

type ConflictOptions<Values extends FormValues> = {
  readonly version: { readonly newest: () => Promise<Versioned<Values> | undefined> } | undefined
  readonly from: Values
  readonly take: (theirs: Versioned<Values>) => void
  readonly save: (theirs: Versioned<Values>) => void
}

/** Reads what is there now, as soon as a change was refused because of it. */
function useConflict<Values extends FormValues>({
  version,
  from,
  take,
  save,
}: ConflictOptions<Values>): Conflict<Values> | undefined {
  const [theirs, setTheirs] = useState<Versioned<Values>>()
  const isRefused = version !== undefined
  const newest = useRef(version?.newest)
  newest.current = version?.newest
  useEffect(() => {
    let isGone = false
    if (isRefused) void newest.current?.().then((read) => !isGone && setTheirs(read))
    else setTheirs(undefined)
    return () => {
      isGone = true
    }
  }, [isRefused])
  if (!isRefused || !theirs) return undefined
  return {
    changed: changedBetween(from, theirs.values),
    takeTheirs: () => take(theirs),
    saveMine: () => save(theirs),
  }
}

/** Where the form stands: it decides on the room between its fields and on its buttons. */
type Place = 'dialog' | 'card' | 'narrow'
const rooms: Record<Place, string> = {
  dialog: 'mt-4 space-y-5',
  card: 'max-w-md space-y-4',
  narrow: 'mt-5 space-y-4',
}

export function FormOf<Values extends FormValues>({
  form,
  label,
  action,
  look = 'accent',
  place = 'dialog',
  isWide = false,
  isDisabled = false,
  names = {},
  onCancel,
  more,
  children,
}: {
  form: ApiForm<Values>
  /** For screen readers, where no dialog names it. */
  label?: string
  /** The verb on the button. */
  action: string
  look?: 'accent' | 'plain' | 'danger'
  place?: Place
  isWide?: boolean
  isDisabled?: boolean
  /** What people call its fields, for telling what somebody else has changed. */
  names?: Partial<Record<keyof Values, string>>
  onCancel?: () => void
  /** Beside the button. */
  more?: ComponentChildren
  children: ComponentChildren
}) {
  const buttons = place === 'narrow' ? 'grid gap-3 pt-1' : 'flex flex-wrap gap-3'
  const width = place === 'card' && isWide ? 'space-y-5' : rooms[place]
  return (
    <form
      ref={form.element}
      aria-label={label}
      class={width}
      onSubmit={(event) => {
        event.preventDefault()
        form.submit()
      }}
    >
      {children}
      {form.failure && (
        <div data-trouble tabIndex={-1}>
          <ProblemNotice failure={form.failure} />
        </div>
      )}
      {form.conflict ? (
        <ConflictButtons conflict={form.conflict} names={names} isBusy={form.isBusy} onCancel={onCancel} />
      ) : (
        <div class={`${buttons} ${place === 'dialog' ? 'justify-end' : ''}`}>
          {place === 'dialog' && onCancel && <Button onClick={onCancel}>Cancel</Button>}
          <Button type="submit" look={look} isBusy={form.isBusy} disabled={isDisabled}>
            {action}
          </Button>
          {place !== 'dialog' && onCancel && <Button onClick={onCancel}>Cancel</Button>}
          {more}
        </div>
      )}
    </form>
  )
}

function ConflictButtons<Values>({
  conflict: { changed, takeTheirs, saveMine },
  names,
  isBusy,
  onCancel,
}: {
  conflict: Conflict<Values>
  names: Partial<Record<keyof Values, string>>
  isBusy: boolean
  onCancel: (() => void) | undefined
}) {
  const what = changed.map((name) => names[name] ?? name).join(', ')
  return (
    <div class="space-y-3">
      <p>
        {changed.length === 0
          ? 'Nothing of this form was changed, but something else of it was.'
          : `Somebody else has changed meanwhile: ${what}.`}
      </p>
      <div class="flex flex-wrap gap-3">
        <Button onClick={takeTheirs}>Take theirs</Button>
        <Button look="danger" onClick={saveMine} isBusy={isBusy}>
          Save my changes on top
        </Button>
        {onCancel && (
          <Button look="quiet" onClick={onCancel}>
            Cancel
          </Button>
        )}
      </div>
    </div>
  )
}
