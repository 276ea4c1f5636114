/** Feedback for whoever runs the service, with what goes along shown before it is sent. */
import { useMutation } from '@tanstack/react-query'
import { useState } from 'preact/hooks'
import { failureIn, useConfig } from '../api/queries.ts'
import { useServices } from '../api/services.tsx'
import { Button } from '../parts/button.tsx'
import { TextArea } from '../parts/field.tsx'
import { Card } from '../parts/page.tsx'
import { ProblemNotice } from '../parts/problem-notice.tsx'

export function FeedbackCard() {
  const { calls } = useServices()
  const version = useConfig().data?.version ?? ''
  const [text, setText] = useState('')
  const attached = { console: version, browser: navigator.userAgent.slice(0, 300) }
  const send = useMutation({
    mutationFn: () => calls.sendFeedback({ text: text.trim(), attached }),
    onSuccess: () => setText(''),
  })
  const failure = failureIn(send)
  return (
    <Card title="Feedback">
      <form
        class="max-w-md space-y-4"
        onSubmit={(event) => {
          event.preventDefault()
          send.mutate()
        }}
      >
        {failure && <ProblemNotice failure={failure} />}
        <TextArea
          label="What should whoever runs this service know?"
          required
          maxLength={4_000}
          spellcheck
          hint={`Your account goes along, and: console ${attached.console}, ${attached.browser}`}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <Button type="submit" isBusy={send.isPending}>
          Send
        </Button>
        <p role="status">{send.isSuccess && text === '' && 'Sent. Thank you.'}</p>
      </form>
    </Card>
  )
}
