/** Feedback for whoever runs the service, with what goes along shown before it is sent. */
import { useMutation } from '@tanstack/react-query'
import { useConfig } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { TextArea } from '../parts/field.tsx'
import { FormOf, useApiForm } from '../parts/form.tsx'
import { Card } from '../parts/page.tsx'

export function FeedbackCard() {
  const { calls } = useServices()
  const version = useConfig().data?.version ?? ''
  const attached = { console: version, browser: navigator.userAgent.slice(0, 300) }
  const send = useMutation({ mutationFn: (text: string) => calls.sendFeedback({ text, attached }) })
  const form = useApiForm({ initial: { text: '' }, act: send, toWish: ({ text }) => text.trim() })
  return (
    <Card title="Feedback">
      <FormOf form={form} label="Feedback" action="Send" look="plain" place="card">
        <TextArea
          label="What should whoever runs this service know?"
          required
          maxLength={4_000}
          spellcheck
          hint={`Your account goes along, and: console ${attached.console}, ${attached.browser}`}
          {...form.text('text')}
        />
        <p role="status">{send.isSuccess && !form.isDirty && 'Sent. Thank you.'}</p>
      </FormOf>
    </Card>
  )
}
