/** A failure as the API told it: what, why, what helps, and the code to look up or quote. */
import type { ApiFailure } from '../api/failure.ts'
import { Button } from './button.tsx'
import { Icon } from './icon.tsx'
import { issueText, waitText } from './problem-text.ts'

/** A field of the form is wrong. The detail names it; the cure is for programs, and speaks of the API's description. */
const shapeCode = 'PT-0001'
/** `view.closed`: trying again changes nothing. */
const closedCode = 'PT-1140'

export function ProblemNotice({
  failure,
  onRetry,
  isRetrying = false,
}: {
  failure: ApiFailure
  onRetry?: (() => void) | undefined
  isRetrying?: boolean
}) {
  const { title, detail, cure, code, type, instance, issues, retryAfter } = failure.problem
  return (
    <div role="alert" class="rounded-xl border border-danger/40 bg-danger-soft p-4 text-sm">
      <p class="flex items-start gap-2 font-semibold text-danger">
        <Icon name="alert" />
        <span>
          {title}
          {code && <CodeLink code={code} type={type} />}
        </span>
      </p>
      <div class="mt-1.5 space-y-1 pl-[26px]">
        {detail && detail !== title && !issues && <p>{detail}</p>}
        {issues && (
          <ul class={issues.length > 1 ? 'list-disc pl-5' : ''}>
            {issues.map((issue) => (
              <li key={`${issue.path} ${issue.message}`}>{issueText(issue)}</li>
            ))}
          </ul>
        )}
        {cure && code !== shapeCode && <p class="text-muted">{cure}</p>}
        {retryAfter !== undefined && <p class="text-muted">Possible again {waitText(retryAfter)}.</p>}
        {failure.status >= 500 && instance && (
          <p class="text-muted">
            Request <code class="font-mono">{instance}</code>
          </p>
        )}
        {onRetry && code !== closedCode && (
          <div class="pt-2">
            <Button onClick={onRetry} isBusy={isRetrying}>
              Try again
            </Button>
          </div>
        )}
      </div>
    </div>
  )
}

function CodeLink({ code, type }: { code: string; type: string | undefined }) {
  const look = 'ml-2 font-mono text-xs font-medium whitespace-nowrap'
  // Only an address may become a link: the document's type could also be a bare URN.
  if (!type || !/^(https?:\/)?\//.test(type)) return <span class={look}>{code}</span>
  return (
    <a href={type} target="_blank" rel="noreferrer" class={`${look} underline underline-offset-2`}>
      {code}
    </a>
  )
}
