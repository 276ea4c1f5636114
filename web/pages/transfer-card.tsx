/** What the account has carried of the month's transfer: how much, how far, what happens next, when it starts again. */
import type { Transfer } from '@porttunneler/shared/api/schemas/service'
import { useId } from 'preact/hooks'
import { failureIn, useAccount } from '../api/queries.ts'
import { TextLink } from '../parts/button.tsx'
import { formatBytes } from '../parts/format.ts'
import { Icon, type IconName } from '../parts/icon.tsx'
import { Card, Skeleton } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { resetText, transferWords } from '../parts/transfer-text.ts'

type Look = { readonly icon: IconName; readonly text: string; readonly fill: string; readonly box: string }

const looks: Record<Transfer['state'], Look> = {
  ok: { icon: 'online', text: 'text-ok', fill: 'bg-accent', box: '' },
  near: { icon: 'away', text: 'text-warn', fill: 'bg-warn', box: 'border-warn/40 bg-warn-soft' },
  over: { icon: 'alert', text: 'text-danger', fill: 'bg-danger', box: 'border-danger/40 bg-danger-soft' },
  stopped: { icon: 'alert', text: 'text-danger', fill: 'bg-danger', box: 'border-danger/40 bg-danger-soft' },
}

export function TransferCard() {
  const account = useAccount()
  const failure = failureIn(account)
  return (
    <Card title="Transfer this month">
      {failure && (
        <ProblemNotice
          failure={failure}
          onRetry={() => void account.refetch()}
          isRetrying={account.isFetching}
        />
      )}
      {account.isPending && <Skeleton what="the transfer of this month" rows={1} />}
      {account.data && !account.data.transfer && (
        <p class="text-muted">The plan sets no limit to what tunnels carry.</p>
      )}
      {account.data?.transfer && <Used transfer={account.data.transfer} />}
    </Card>
  )
}

function Used({ transfer }: { transfer: Transfer }) {
  const { usedBytes, limitBytes, percent, state, to, countedAt } = transfer
  const label = useId()
  const { icon, text, fill } = looks[state]
  const { title, next } = transferWords[state]
  return (
    <div class="max-w-xl">
      <p id={label} class="flex flex-wrap items-baseline justify-between gap-x-4 tabular-nums">
        <span>
          <span class="text-xl font-semibold">{formatBytes(usedBytes)}</span>{' '}
          <span class="text-muted">of {formatBytes(limitBytes)}</span>
        </span>
        <span class="font-medium">{percent} %</span>
      </p>
      <div
        role="progressbar"
        aria-labelledby={label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.min(100, percent)}
        aria-valuetext={`${percent} % used: ${title}`}
        class="mt-2 h-3 overflow-hidden rounded-full border border-edge bg-raised"
      >
        <div
          class={`h-full forced-colors:bg-[CanvasText] ${fill}`}
          style={{ width: `${Math.min(100, percent)}%` }}
        />
      </div>
      <p class={`mt-3 flex items-center gap-2 font-medium ${text}`}>
        <Icon name={icon} />
        {title}
      </p>
      <p class="mt-1">{next}</p>
      {(state === 'over' || state === 'stopped') && (
        <p class="mt-1">
          A larger plan, or a higher cap where transfer is sold, lets it go on.{' '}
          <TextLink href="/plans">See the plans</TextLink>
        </p>
      )}
      <p class="mt-3 text-sm text-muted">
        {resetText(to)} Both directions count together; as of <TimeText at={countedAt} isExact />.
      </p>
    </div>
  )
}

/** On the first page, once there is something to know: 80 % are used. */
export function TransferNotice() {
  const transfer = useAccount().data?.transfer
  if (transfer === undefined || transfer.state === 'ok') return null
  const { icon, text, box } = looks[transfer.state]
  const { title, next } = transferWords[transfer.state]
  return (
    <div role="status" class={`rounded-xl border p-4 text-sm ${box}`}>
      <p class={`flex items-start gap-2 font-semibold ${text}`}>
        <Icon name={icon} />
        Transfer of this month: {title.toLowerCase()} ({transfer.percent} %)
      </p>
      <p class="mt-1 pl-[26px]">
        {next} {resetText(transfer.to)} <TextLink href="/usage">See the usage</TextLink>
      </p>
    </div>
  )
}
