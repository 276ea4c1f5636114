/** What operators read about what is kept. Acts of operator-queries.ts read it again. */
import { useMutation, useQuery } from '@tanstack/react-query'
import type { ComplianceReport, ReportSpan } from './operator-keeping-calls.ts'
import { useServices } from './services.tsx'

const all = ['operator'] as const

export function useRetention() {
  const { calls } = useServices()
  return useQuery({ queryKey: [...all, 'retention'], queryFn: ({ signal }) => calls.retention(signal) })
}

export function useHolds() {
  const { calls } = useServices()
  return useQuery({ queryKey: [...all, 'holds'], queryFn: ({ signal }) => calls.holds(signal) })
}

/** Makes the report; the text is what is saved. Each one is in the audit log, so it is not read again by itself. */
export function useComplianceReport() {
  const { calls } = useServices()
  return useMutation({
    gcTime: 0,
    mutationFn: async (span: ReportSpan) => {
      const file = await calls.complianceReport(span)
      return { span, file, report: JSON.parse(await file.text()) as ComplianceReport }
    },
  })
}

/** @param onFile gets the page */
export function useCompliancePage(onFile: (file: Blob) => void) {
  const { calls } = useServices()
  return useMutation({ gcTime: 0, mutationFn: calls.compliancePage, onSuccess: onFile })
}
