/** Beside the forms that make an account: what a new person will be asked to accept. */
import { termsNames } from '@porttunneler/shared/base/terms-kinds'
import { useConfig } from '../api/queries.ts'
import { TermsLink } from './terms-list.tsx'

export function TermsNote() {
  const { terms = [] } = useConfig().data ?? {}
  if (terms.length === 0) return null
  return (
    <p class="mt-5 text-sm text-muted">
      Before your first change you are asked to accept:{' '}
      {terms.map((item, index) => (
        <span key={termsNames[item.kind]}>
          {index > 0 && ', '}
          <TermsLink item={item} />
        </span>
      ))}
    </p>
  )
}
