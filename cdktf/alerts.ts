/** Lists what is worth waking somebody for, and makes the one page of figures. Filters are Cloud Monitoring's. */
import { codes } from '@porttunneler/shared/base/errors'
import { lookedText } from '@porttunneler/shared/control/alerts/sign-of-life'
import { deployments } from '../functions/deployment.ts'
import { deadLetters, subscriptionName } from '../functions/platform/pubsub-names.ts'

type Alignment = {
  readonly alignmentPeriod: string
  readonly perSeriesAligner: string
  readonly crossSeriesReducer?: string
}
export type Alert = {
  readonly id: string
  readonly title: string
  readonly severity: 'CRITICAL' | 'ERROR' | 'WARNING'
  readonly filter: string
  readonly comparison: 'COMPARISON_GT' | 'COMPARISON_LT'
  readonly threshold: number
  readonly duration: string
  readonly alignment: Alignment[]
  /** Where it says what to do. A test looks for the heading. */
  readonly page: string
}

/** This part of the calls to the API is answered. In 28 days the rest is 40 minutes of nothing at all. */
export const answeredGoal = 0.999

/** Burn rates after Google's SRE workbook, chapter 5: 2 % of the month's budget in an hour, 5 % in six. */
export const fastBurn = 14.4
export const burns = [
  { id: 'fast', rate: fastBurn, window: '3600s', severity: 'CRITICAL' },
  { id: 'slow', rate: 6, window: '21600s', severity: 'WARNING' },
] as const

/** Requests of one function, whose service has its name in small letters. */
export function requestsOf(name: string): string {
  return `resource.type="cloud_run_revision" resource.labels.service_name="${name.toLowerCase()}" metric.type="run.googleapis.com/request_count"`
}

const sum = { alignmentPeriod: '300s', perSeriesAligner: 'ALIGN_DELTA', crossSeriesReducer: 'REDUCE_SUM' }
const over = { comparison: 'COMPARISON_GT', duration: '0s' } as const

export function alerts(project: string, uptimeCheckId: string): readonly Alert[] {
  const keeper = subscriptionName(deadLetters.topic, deadLetters.key)
  const failing = Object.keys(deployments).map((name) => ({
    id: `errors-${name.toLowerCase()}`,
    title: `${name}: calls fail`,
    severity: 'ERROR' as const,
    filter: `${requestsOf(name)} metric.labels.response_code_class="5xx"`,
    ...over,
    threshold: 5,
    alignment: [sum],
    page: 'docs/cloud.md#functions',
  }))
  return [
    ...failing,
    {
      id: 'dead-letters',
      title: 'Messages that failed at every delivery',
      severity: 'ERROR',
      filter: `resource.type="pubsub_subscription" resource.labels.subscription_id="${keeper}" metric.type="pubsub.googleapis.com/subscription/num_undelivered_messages"`,
      ...over,
      threshold: 0,
      alignment: [{ alignmentPeriod: '60s', perSeriesAligner: 'ALIGN_MAX' }],
      page: 'docs/operations.md#messages-that-were-set-aside',
    },
    {
      id: 'schedule',
      title: 'The scheduler does not get through',
      severity: 'CRITICAL',
      filter: `resource.type="cloud_scheduler_job" metric.type="logging.googleapis.com/log_entry_count" metric.labels.severity="ERROR"`,
      ...over,
      threshold: 2,
      alignment: [sum],
      page: 'docs/cloud.md#functions',
    },
    {
      id: 'unreachable',
      title: 'The API is not reachable from outside',
      severity: 'CRITICAL',
      filter: `resource.type="uptime_url" resource.labels.project_id="${project}" metric.type="monitoring.googleapis.com/uptime_check/check_passed" metric.labels.check_id="${uptimeCheckId}"`,
      comparison: 'COMPARISON_LT',
      duration: '120s',
      threshold: 0.5,
      alignment: [
        {
          alignmentPeriod: '120s',
          perSeriesAligner: 'ALIGN_FRACTION_TRUE',
          crossSeriesReducer: 'REDUCE_MEAN',
        },
      ],
      page: 'docs/operations.md#what-to-watch',
    },
    {
      id: 'relays-gone',
      title: 'A relay VM is replaced again and again, or is not there',
      severity: 'CRITICAL',
      filter:
        'resource.type="instance_group" metric.type="compute.googleapis.com/instance_group/size" metadata.user_labels.service="porttunneler"',
      comparison: 'COMPARISON_LT',
      duration: '600s',
      threshold: 1,
      alignment: [{ alignmentPeriod: '60s', perSeriesAligner: 'ALIGN_MIN' }],
      page: 'docs/operations.md#what-to-watch',
    },
  ]
}

/** Lines of the log that wake somebody, by their code. */
export const logAlerts = [
  {
    id: 'backup-overdue',
    title: 'The last backup of the database is too old, or its age cannot be seen',
    severity: 'CRITICAL',
    filter: `resource.type="cloud_run_revision" severity>=ERROR jsonPayload.code="${codes['backup.overdue'].code}"`,
    page: 'docs/disaster.md#the-age-of-the-backups',
  },
  {
    id: 'billing-drift',
    title: codes['billing.drift'].title,
    severity: 'ERROR',
    filter: `resource.type="cloud_run_revision" severity>=ERROR jsonPayload.code="${codes['billing.drift'].code}"`,
    page: 'docs/operations.md#accounts-that-differ-from-stripe',
  },
] as const

/** Counts the lines that a look at the service leaves every five minutes (control/alerts/service-look.ts). */
export const looks = {
  name: 'porttunneler-looks',
  filter: `resource.type="cloud_run_revision" jsonPayload.message="${lookedText}"`,
} as const

/** When these lines stop nobody is told of anything any more: the dead man's switch of the service's own alerts. */
export const silence = {
  id: 'alerts-silent',
  title: codes['alert.silent'].title,
  filter: `resource.type="cloud_run_revision" metric.type="logging.googleapis.com/user/${looks.name}"`,
  /** Three looks, and the time until a figure is there. */
  duration: '1200s',
  page: 'docs/operations.md#alerts-to-operators',
} as const

/** Calls, failures, times and instances of functions; messages; VMs. */
export function dashboard(): object {
  const run = 'resource.type="cloud_run_revision" metric.type="run.googleapis.com/'
  const rate = { alignmentPeriod: '60s', perSeriesAligner: 'ALIGN_RATE' }
  const charts: readonly (readonly [title: string, filter: string, aligner: object])[] = [
    ['Calls by function', `${run}request_count"`, rate],
    ['Failed calls', `${run}request_count" metric.labels.response_code_class="5xx"`, rate],
    [
      'Time of a call, 99th percentile',
      `${run}request_latencies"`,
      { ...rate, perSeriesAligner: 'ALIGN_PERCENTILE_99' },
    ],
    ['Instances', `${run}container/instance_count"`, { ...rate, perSeriesAligner: 'ALIGN_MAX' }],
    [
      'Commands that wait',
      'resource.type="pubsub_subscription" metric.type="pubsub.googleapis.com/subscription/num_undelivered_messages"',
      { ...rate, perSeriesAligner: 'ALIGN_MAX' },
    ],
    [
      'Reads of Firestore',
      'resource.type="firestore_instance" metric.type="firestore.googleapis.com/document/read_count"',
      rate,
    ],
    [
      'CPU of relay VMs',
      'resource.type="gce_instance" metric.type="compute.googleapis.com/instance/cpu/utilization"',
      { ...rate, perSeriesAligner: 'ALIGN_MAX' },
    ],
    [
      'Bytes out of relay VMs',
      'resource.type="gce_instance" metric.type="compute.googleapis.com/instance/network/sent_bytes_count"',
      rate,
    ],
  ]
  return {
    displayName: 'PortTunneler',
    mosaicLayout: {
      columns: 12,
      tiles: charts.map(([title, filter, aggregation], index) => ({
        xPos: (index % 2) * 6,
        yPos: Math.floor(index / 2) * 4,
        width: 6,
        height: 4,
        widget: {
          title,
          xyChart: { dataSets: [{ timeSeriesQuery: { timeSeriesFilter: { filter, aggregation } } }] },
        },
      })),
    },
  }
}
