/**
 * Makes alerts, figures, log retention and the budget: each alert names the page that says what to do. Relays have
 * figures of their own.
 */
import { BillingBudget } from '@cdktf/provider-google/lib/billing-budget/index.js'
import { LoggingMetric } from '@cdktf/provider-google/lib/logging-metric/index.js'
import { LoggingProjectBucketConfig } from '@cdktf/provider-google/lib/logging-project-bucket-config/index.js'
import { MonitoringAlertPolicy } from '@cdktf/provider-google/lib/monitoring-alert-policy/index.js'
import { MonitoringCustomService } from '@cdktf/provider-google/lib/monitoring-custom-service/index.js'
import { MonitoringDashboard } from '@cdktf/provider-google/lib/monitoring-dashboard/index.js'
import { MonitoringNotificationChannel } from '@cdktf/provider-google/lib/monitoring-notification-channel/index.js'
import { MonitoringSlo } from '@cdktf/provider-google/lib/monitoring-slo/index.js'
import { MonitoringUptimeCheckConfig } from '@cdktf/provider-google/lib/monitoring-uptime-check-config/index.js'
import type { Construct } from 'constructs'
import { alerts, answeredGoal, burns, dashboard, logAlerts, looks, requestsOf, silence } from '../alerts.ts'
import { PorttunnelerStack, type StackOptions } from './porttunneler-stack.ts'

const logDays = 30

export class ObservabilityStack extends PorttunnelerStack {
  constructor(scope: Construct, options: StackOptions) {
    super(scope, 'observability', options)
    const { project, alertEmail, consoleHost } = this.environment
    const channel = new MonitoringNotificationChannel(this, 'mail', {
      displayName: 'PortTunneler on call',
      type: 'email',
      labels: { email_address: alertEmail },
    })
    const uptime = new MonitoringUptimeCheckConfig(this, 'reachable', {
      displayName: 'API from outside',
      timeout: '10s',
      period: '60s',
      selectedRegions: ['EUROPE', 'USA_VIRGINIA', 'ASIA_PACIFIC'],
      monitoredResource: { type: 'uptime_url', labels: { project_id: project, host: consoleHost } },
      httpCheck: { path: '/v1/health', port: 443, useSsl: true, validateSsl: true, requestMethod: 'GET' },
    })
    this.#slo(channel)
    for (const alert of alerts(project, uptime.uptimeCheckId)) this.#alert(alert, channel)
    this.#logAlerts(channel)
    this.#silence(channel)
    new MonitoringDashboard(this, 'dashboard', { dashboardJson: JSON.stringify(dashboard()) })
    new LoggingProjectBucketConfig(this, 'logs', {
      project,
      location: 'global',
      bucketId: '_Default',
      retentionDays: logDays,
    })
    this.#budget(channel)
  }

  #alert(alert: ReturnType<typeof alerts>[number], channel: MonitoringNotificationChannel): void {
    const { id, title, threshold, filter, duration, page, alignment, severity } = alert
    new MonitoringAlertPolicy(this, id, {
      displayName: title,
      combiner: 'OR',
      severity,
      notificationChannels: [channel.id],
      documentation: { content: `What to do: ${page}`, mimeType: 'text/markdown' },
      alertStrategy: { autoClose: '86400s' },
      conditions: [
        {
          displayName: title,
          conditionThreshold: {
            filter,
            comparison: alert.comparison,
            thresholdValue: threshold,
            duration,
            aggregations: alignment,
            trigger: { count: 1 },
          },
        },
      ],
    })
  }

  #logAlerts(channel: MonitoringNotificationChannel): void {
    for (const { id, title, severity, filter, page } of logAlerts)
      new MonitoringAlertPolicy(this, id, {
        displayName: title,
        combiner: 'OR',
        severity,
        notificationChannels: [channel.id],
        documentation: { content: `What to do: ${page}`, mimeType: 'text/markdown' },
        // An alert on lines needs a limit, and only such an alert takes one: the line comes every hour.
        alertStrategy: { autoClose: '86400s', notificationRateLimit: { period: '43200s' } },
        conditions: [{ displayName: title, conditionMatchedLog: { filter } }],
      })
  }

  #silence(channel: MonitoringNotificationChannel): void {
    const { id, title, filter, duration, page } = silence
    const metric = new LoggingMetric(this, 'looks', {
      ...looks,
      description: 'Looks at the service, which make the alerts of operators',
      metricDescriptor: { metricKind: 'DELTA', valueType: 'INT64' },
    })
    new MonitoringAlertPolicy(this, id, {
      displayName: title,
      combiner: 'OR',
      severity: 'CRITICAL',
      notificationChannels: [channel.id],
      documentation: { content: `What to do: ${page}`, mimeType: 'text/markdown' },
      alertStrategy: { autoClose: '86400s' },
      // A filter on a figure that does not exist yet is refused.
      dependsOn: [metric],
      conditions: [
        {
          displayName: title,
          conditionAbsent: {
            filter,
            duration,
            aggregations: [
              {
                alignmentPeriod: '300s',
                perSeriesAligner: 'ALIGN_DELTA',
                crossSeriesReducer: 'REDUCE_SUM',
              },
            ],
            trigger: { count: 1 },
          },
        },
      ],
    })
  }

  #slo(channel: MonitoringNotificationChannel): void {
    const service = new MonitoringCustomService(this, 'api', { serviceId: 'api', displayName: 'API' })
    const slo = new MonitoringSlo(this, 'answered', {
      service: service.serviceId,
      sloId: 'answered',
      displayName: 'Calls that get an answer of ours',
      goal: answeredGoal,
      rollingPeriodDays: 28,
      requestBasedSli: {
        goodTotalRatio: {
          totalServiceFilter: requestsOf('api'),
          badServiceFilter: `${requestsOf('api')} metric.labels.response_code_class="5xx"`,
        },
      },
    })
    for (const { id, rate, window, severity } of burns)
      new MonitoringAlertPolicy(this, `burn-${id}`, {
        displayName: `API: its error budget goes ${rate} times too fast`,
        combiner: 'OR',
        severity,
        notificationChannels: [channel.id],
        documentation: { content: 'What to do: docs/operations.md#what-to-watch', mimeType: 'text/markdown' },
        conditions: [
          {
            displayName: 'Burn rate',
            conditionThreshold: {
              filter: `select_slo_burn_rate("${slo.name}", "${window}")`,
              comparison: 'COMPARISON_GT',
              thresholdValue: rate,
              duration: '0s',
              trigger: { count: 1 },
            },
          },
        ],
      })
  }

  #budget(channel: MonitoringNotificationChannel): void {
    const { billingAccount, budgetDollars, projectNumber, name } = this.environment
    new BillingBudget(this, 'budget', {
      billingAccount,
      displayName: `PortTunneler ${name}`,
      budgetFilter: { projects: [`projects/${projectNumber}`] },
      amount: { specifiedAmount: { currencyCode: 'USD', units: `${budgetDollars}` } },
      thresholdRules: [
        { thresholdPercent: 0.5 },
        { thresholdPercent: 0.9 },
        { thresholdPercent: 1, spendBasis: 'FORECASTED_SPEND' },
      ],
      allUpdatesRule: { monitoringNotificationChannels: [channel.id], disableDefaultIamRecipients: false },
    })
  }
}
