/** What reports of abuse are about, and what operators decide, with words for people; without the schema library. */

export const reportKinds = {
  phishing: 'It pretends to be somebody else, to get passwords or money',
  malware: 'It spreads harmful programs, or controls infected machines',
  spam: 'It is advertised by spam',
  illegal: 'It is against the law in another way',
  rights: 'It shows what belongs to me, without a right to it',
  other: 'Something else',
} as const
export type ReportKind = keyof typeof reportKinds
export const reportKindNames = Object.keys(reportKinds) as [ReportKind, ...ReportKind[]]

export function isReportKind(kind: string): kind is ReportKind {
  return Object.hasOwn(reportKinds, kind)
}

/** In a word or two, for tables. */
export const shortKinds: Readonly<Record<ReportKind, string>> = {
  phishing: 'Phishing',
  malware: 'Malware',
  spam: 'Spam',
  illegal: 'Illegal',
  rights: 'Rights',
  other: 'Other',
}

export const decisions = ['dismissed', 'warned', 'taken_down', 'suspended'] as const
export type Decision = (typeof decisions)[number]

export const decisionWords: Readonly<Record<Decision, string>> = {
  dismissed: 'Dismissed',
  warned: 'Owner warned',
  taken_down: 'Tunnel taken down',
  suspended: 'Account suspended',
}
