/**
 * The order of the documentation's pages, as its navigation shows them. Every document of docs/ stands here once, so a
 * new one cannot be forgotten. What only people who change the code read is in groups of its own at the end.
 */

export type Group = {
  readonly title: string
  /** Folded until one of its pages is open. */
  readonly isFolded?: boolean
  /** Paths below docs/. */
  readonly pages: readonly string[]
}

export const groups: readonly Group[] = [
  {
    title: 'Start',
    pages: ['README.md', 'guides/first-tunnel.md', 'install.md', 'concepts.md', 'moving.md'],
  },
  {
    title: 'Guides',
    pages: [
      'guides/webhooks.md',
      'guides/dev-servers.md',
      'guides/ssh.md',
      'guides/postgresql.md',
      'guides/minecraft.md',
      'guides/grpc.md',
      'guides/mcp.md',
      'guides/ci-previews.md',
      'guides/raspberry-pi.md',
      'guides/corporate-proxy.md',
      'guides/several-agents.md',
      'guides/embedding.md',
      'guides/self-hosting.md',
    ],
  },
  { title: 'Help', pages: ['troubleshooting.md', 'faq.md', 'errors/README.md'] },
  {
    title: 'Reference',
    pages: [
      'cli.md',
      'api.md',
      'api-versions.md',
      'domains.md',
      'end-to-end.md',
      'inspector.md',
      'connections.md',
      'alerts.md',
      'out-of-scope.md',
    ],
  },
  {
    title: 'Running a server',
    pages: [
      'operations.md',
      'relay.md',
      'metrics.md',
      'plans.md',
      'cloud.md',
      'cloud-steps.md',
      'cloud-resources.md',
      'cost.md',
      'disaster.md',
    ],
  },
  {
    title: 'Looking closer',
    pages: [
      'comparison.md',
      'security.md',
      'threat-model.md',
      'privacy.md',
      'performance.md',
      'reliability.md',
    ],
  },
  {
    title: 'Changing the code',
    isFolded: true,
    pages: [
      'architecture.md',
      'protocol.md',
      'design.md',
      'release.md',
      'plan.md',
      'launch.md',
      'capacity.md',
      'templates/README.md',
      'templates/terms.md',
      'templates/privacy.md',
      'templates/acceptable-use.md',
      'decisions/README.md',
    ],
  },
]

/** Folders whose pages are reached from their index, because the navigation has no room for hundreds. */
export const indexedFolders = ['errors/', 'decisions/'] as const
