/**
 * The public form for reports of abuse, as a page that needs no script: relays link to it from the pages that they give
 * visitors. Nobody learns here whose an address is.
 */
import { z } from 'zod'
import { isFailure, type PortTunnelerError } from '../../base/errors.ts'
import { escapeHtml } from '../../base/html.ts'
import { type Report, receiveReport, reportTextMax } from '../../control/abuse/reporting.ts'
import { plainPage } from '../error-pages.ts'
import { type ApiDeps, formBody, RouteGroup, route } from '../kit.ts'
import { isReportKind, reportKinds } from '../schemas/report-words.ts'

const tags = ['Abuse']
const access = { public: 'For visitors, who have no account.' } as const
const text = z.string().default('')
/** As a browser sends it; what is wrong is said on the page. */
const formSchema = z.object({ address: text, kind: text, text, email: text })
type Form = z.infer<typeof formSchema>

const routes = {
  show: route({
    method: 'get',
    path: '/v1/report',
    operationId: 'showReportForm',
    summary: 'A page to report abuse of an address; `/report` leads here',
    tags,
    access,
    request: {
      query: z.object({ host: z.string().optional().describe('The address, written into the form') }),
    },
    responses: { 200: { description: 'The page' } },
  }),
  send: route({
    method: 'post',
    path: '/v1/report',
    operationId: 'sendReport',
    summary: 'Report abuse of an address',
    description: 'Ten an hour from one network. The answer says only that the report was received.',
    tags,
    access,
    request: formBody(formSchema),
    responses: {
      200: { description: 'A page: received' },
      400: { description: 'The page again, with what is wrong' },
      429: { description: 'The page again: too many' },
    },
  }),
}

const blank: Form = { address: '', kind: 'phishing', text: '', email: '' }

/** Crosses accounts: who reports belongs to none, and is not told whose an address is. */
export function reportRoutes({ control, addressOf }: ApiDeps): RouteGroup {
  return new RouteGroup()
    .add(routes.show, (c) => {
      const { host = '' } = c.req.valid('query')
      return formPage({ ...blank, address: host.slice(0, 300) })
    })
    .add(routes.send, async (c) => {
      const form = c.req.valid('form')
      try {
        await receiveReport(control, { ...reportOf(form), from: addressOf(c) })
        return donePage()
      } catch (error) {
        if (!isFailure(error)) throw error
        return formPage(form, error)
      }
    })
}

function reportOf({ address, kind, text, email }: Form): Omit<Report, 'from'> {
  return { address, kind: isReportKind(kind) ? kind : 'other', text, email }
}

function donePage(): Response {
  return plainPage(
    'Report received',
    `<h1>Thank you, the report was received</h1>
<p>An operator of this service looks at it. If you left a mail address, you get an answer there.</p>
<p>If you typed a password or paid something there, change the password and tell your bank now: a report cannot
undo that.</p>`,
  )
}

/** @param failure what was wrong with what was sent */
function formPage(form: Form, failure?: PortTunnelerError): Response {
  const kinds = Object.entries(reportKinds).map(
    ([kind, words]) =>
      `<option value="${kind}"${kind === form.kind ? ' selected' : ''}>${escapeHtml(words)}</option>`,
  )
  const wrong = failure
    ? `<p role="alert"><strong>${escapeHtml(failure.detail)}</strong> ${escapeHtml(failure.entry.cure)} <span class="code">${failure.code}</span></p>`
    : ''
  const page = plainPage(
    'Report abuse',
    `<h1>Report abuse of an address</h1>
<p>Pages and ports of this service belong to the people who publish them. Say here if one of them does harm.</p>${wrong}
<form method="post" action="/v1/report">
<label for="address">Address</label>
<input id="address" name="address" required maxlength="300" value="${escapeHtml(form.address)}"
 placeholder="https://shop.example.com/login" autocomplete="off" autocapitalize="none" spellcheck="false">
<label for="kind">What is wrong</label><select id="kind" name="kind">${kinds.join('')}</select>
<label for="text">What did you see, and how did you get there?</label>
<textarea id="text" name="text" rows="6" maxlength="${reportTextMax}">${escapeHtml(form.text)}</textarea>
<label for="email">Your mail address, if you want an answer</label>
<input id="email" name="email" type="email" maxlength="254" autocomplete="email" value="${escapeHtml(form.email)}">
<p>Whoever has the address does not learn who reported it. Your mail address is deleted with the answer.</p>
<button>Send the report</button></form>`,
  )
  return failure ? new Response(page.body, { status: failure.entry.http, headers: page.headers }) : page
}
