/** Networks, VMs, names in the world, and what watches them. */
import { each, has, type Policy, part, parts, type Settings, seconds, texts } from './policy.ts'

const keeps = (settings: Settings) => has(part(settings, 'lifecycle'), { prevent_destroy: true })
const isPort = (text: string) => {
  const [first = 0, last = first] = text.split('-').map(Number)
  return first >= 1 && last >= first && last <= 65_535
}
const iap = '35.235.240.0/20'
const zoned = ['cloudflare_zone_setting', 'cloudflare_ruleset', 'cloudflare_dns_record']

export const placePolicies: readonly Policy[] = [
  each(
    'networks have the subnets that we give them',
    ['google_compute_network'],
    ({ auto_create_subnetworks }) => auto_create_subnetworks === false,
    [(network) => delete network.auto_create_subnetworks],
  ),
  each(
    'subnets have addresses of both families, for everybody',
    ['google_compute_subnetwork'],
    (subnet) =>
      has(subnet, { stack_type: 'IPV4_IPV6', ipv6_access_type: 'EXTERNAL', private_ip_google_access: true }),
    [(subnet) => delete subnet.ipv6_access_type],
  ),
  each(
    'the firewall: one family a rule, real ports, for one account, SSH from IAP alone, nothing to admin ports',
    ['google_compute_firewall'],
    (rule) => {
      const from = texts(rule.source_ranges)
      const ports = parts(rule, 'allow').flatMap(({ ports: list }) => texts(list))
      const families = new Set(from.map((range) => range.includes(':')))
      return (
        from.length > 0 &&
        families.size === 1 &&
        texts(rule.target_service_accounts).length === 1 &&
        parts(rule, 'allow').every(({ protocol }) => protocol === 'tcp') &&
        ports.length > 0 &&
        ports.every((port) => isPort(port) && !port.startsWith('8490')) &&
        (!ports.includes('22') || from.every((range) => range === iap))
      )
    },
    [
      (rule) => (rule.source_ranges = ['0.0.0.0/0', '::/0']),
      (rule) =>
        Object.assign(rule, { source_ranges: ['0.0.0.0/0'], allow: [{ protocol: 'tcp', ports: ['22'] }] }),
      (rule) => (rule.allow = [{ protocol: 'tcp', ports: ['70000'] }]),
      (rule) => (rule.allow = [{ protocol: 'tcp', ports: ['8490'] }]),
      (rule) => (rule.allow = [{ protocol: 'all' }]),
      (rule) => delete rule.target_service_accounts,
    ],
  ),
  each(
    'a template: one boot disk with a dated image, an address, shielded, new before old',
    ['google_compute_instance_template'],
    (template) => {
      const [disk = {}, ...others] = parts(template, 'disk')
      const [nic = {}] = parts(template, 'network_interface')
      return (
        others.length === 0 &&
        disk.boot === true &&
        Number(disk.disk_size_gb) >= 10 &&
        /-v\d{8}$/.test(String(disk.source_image)) &&
        parts(nic, 'access_config').length === 1 &&
        has(part(template, 'shielded_instance_config'), { enable_secure_boot: true, enable_vtpm: true }) &&
        template.metadata_startup_script === undefined &&
        String(template.name_prefix).length <= 37 &&
        has(part(template, 'lifecycle'), { create_before_destroy: true })
      )
    },
    [
      (template) => (part(template, 'disk').source_image = 'debian-12'),
      (template) => (part(template, 'disk').disk_size_gb = 1),
      (template) => delete template.network_interface,
      (template) => delete template.lifecycle,
      (template) => (template.metadata_startup_script = '#!/bin/sh'),
      (template) => delete template.shielded_instance_config,
    ],
  ),
  each(
    'a group is one VM, and never two at once: they would share subscriptions',
    ['google_compute_instance_group_manager'],
    (group) => {
      const update = part(group, 'update_policy')
      const healing = part(group, 'auto_healing_policies')
      const delay = Number(healing.initial_delay_sec)
      return (
        group.target_size === 1 &&
        has(update, {
          max_surge_fixed: 0,
          max_unavailable_fixed: 1,
          replacement_method: 'RECREATE',
          type: 'OPPORTUNISTIC',
        }) &&
        delay >= 300 &&
        delay <= 3_600 &&
        String(part(group, 'version').instance_template).includes('self_link_unique')
      )
    },
    [
      (group) => (part(group, 'update_policy').max_surge_fixed = 1),
      (group) => (part(group, 'update_policy').max_unavailable_fixed = 0),
      (group) => (part(group, 'update_policy').replacement_method = 'SUBSTITUTE'),
      (group) => (part(group, 'update_policy').type = 'PROACTIVE'),
      (group) => (group.target_size = 2),
      (group) => (part(group, 'auto_healing_policies').initial_delay_sec = 10),
    ],
  ),
  each(
    'a balancer passes connections through, and drains longer than a relay',
    ['google_compute_region_backend_service'],
    (service) =>
      has(service, { load_balancing_scheme: 'EXTERNAL', protocol: 'UNSPECIFIED' }) &&
      Number(service.connection_draining_timeout_sec) > 75 &&
      texts(service.health_checks).length === 1 &&
      parts(service, 'backend').every(({ balancing_mode }) => balancing_mode === 'CONNECTION'),
    [
      (service) => delete service.load_balancing_scheme,
      (service) => (service.connection_draining_timeout_sec = 0),
      (service) => delete part(service, 'backend').balancing_mode,
    ],
  ),
  each(
    'a balancer takes all ports',
    ['google_compute_forwarding_rule'],
    (rule) =>
      has(rule, { ip_protocol: 'L3_DEFAULT', all_ports: true, load_balancing_scheme: 'EXTERNAL' }) &&
      rule.ports === undefined,
    [(rule) => (rule.ports = ['80'])],
  ),
  each('addresses that people have in their DNS stay', ['google_compute_address'], keeps, [
    (address) => delete address.lifecycle,
  ]),
  each('what is at Cloudflare names a zone', zoned, ({ zone_id }) => /^[0-9a-f]{32}$/.test(String(zone_id)), [
    (resource) => (resource.zone_id = 'example.com'),
  ]),
  each(
    'records: what is proxied leaves its time to live to Cloudflare, a CAA record has flags',
    ['cloudflare_dns_record'],
    (record) =>
      (record.proxied === true ? record.ttl === 1 : Number(record.ttl) >= 60) &&
      (record.type !== 'CAA' || (part(record, 'data').flags === 0 && record.content === undefined)),
    [
      (record) => Object.assign(record, { proxied: true, ttl: 60 }),
      (record) => Object.assign(record, { type: 'CAA', data: {} }),
    ],
  ),
  {
    rule: 'one set of rules for each phase of a zone, and limits count where Cloudflare counts',
    breaches: (stacks) => {
      const sets = stacks.of('cloudflare_ruleset')
      const phases = sets.map(([, { zone_id, phase }]) => `${zone_id} ${phase}`)
      const limits = sets.flatMap(([, set]) =>
        parts(set, 'rules').flatMap((rule) => parts(rule, 'ratelimit')),
      )
      return [
        ...phases.filter((phase, index) => phases.indexOf(phase) !== index),
        ...limits
          .filter(
            ({ characteristics, period }) =>
              !texts(characteristics).includes('cf.colo.id') ||
              ![10, 60, 120, 300, 600, 3_600].includes(Number(period)),
          )
          .map(() => 'a limit'),
      ]
    },
    mistakes: [
      (stacks) => {
        for (const [, set] of stacks.of('cloudflare_ruleset')) set.phase = 'http_ratelimit'
      },
      (stacks) => {
        for (const [, set] of stacks.of('cloudflare_ruleset'))
          for (const rule of parts(set, 'rules')) rule.ratelimit = { characteristics: ['ip.src'], period: 7 }
      },
    ],
  },
  each(
    'an alert reaches somebody, and says what to do',
    ['google_monitoring_alert_policy'],
    (policy) =>
      texts(policy.notification_channels).length > 0 &&
      /^What to do: docs\//.test(String(part(policy, 'documentation').content)) &&
      parts(policy, 'conditions').length > 0,
    [(policy) => delete policy.notification_channels, (policy) => delete policy.documentation],
  ),
  each(
    'an alert on lines of the log limits its mails, and only such an alert may',
    ['google_monitoring_alert_policy'],
    (policy) => {
      const isOnLines = parts(policy, 'conditions').some((one) => one.condition_matched_log !== undefined)
      const limit = part(part(policy, 'alert_strategy'), 'notification_rate_limit')
      return isOnLines ? seconds(limit.period) >= 300 : limit.period === undefined
    },
    [
      (policy) => (policy.alert_strategy = { notification_rate_limit: { period: '600s' } }),
      (policy) => (policy.conditions = [{ condition_matched_log: { filter: 'severity>=ERROR' } }]),
    ],
  ),
  each(
    'the goal leaves room for error',
    ['google_monitoring_slo'],
    ({ goal, rolling_period_days, calendar_period }) =>
      Number(goal) <= 0.9999 && rolling_period_days !== undefined && calendar_period === undefined,
    [(slo) => (slo.goal = 1), (slo) => (slo.calendar_period = 'MONTH')],
  ),
  each(
    'reachability is looked at from three continents, by TLS',
    ['google_monitoring_uptime_check_config'],
    (check) =>
      texts(check.selected_regions).length >= 3 &&
      seconds(check.timeout) <= 60 &&
      has(part(check, 'http_check'), { use_ssl: true, validate_ssl: true }) &&
      parts(check, 'monitored_resource').length === 1,
    [
      (check) => (check.selected_regions = ['EUROPE']),
      (check) => (check.timeout = '90s'),
      (check) => (check.http_check = {}),
    ],
  ),
  each(
    'a budget tells the people on call',
    ['google_billing_budget'],
    (budget) =>
      parts(budget, 'threshold_rules').length >= 3 &&
      texts(part(budget, 'all_updates_rule').monitoring_notification_channels).length > 0,
    [(budget) => delete budget.all_updates_rule],
  ),
  each(
    'logs are kept for a stated time',
    ['google_logging_project_bucket_config'],
    ({ project, retention_days }) => project !== undefined && Number(retention_days) >= 30,
    [(bucket) => delete bucket.retention_days],
  ),
]
