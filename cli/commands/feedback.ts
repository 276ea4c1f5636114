/** `ptun feedback`: a text for whoever runs the server, with facts about this program that are shown first. */
import { fail } from '@porttunneler/shared/base/errors'
import { type Context, connectApi, say, tell } from '../context.ts'
import { formatTable, printable } from '../output/format.ts'
import { version } from '../version.ts'
import { askYes } from './ask-yes.ts'

/** As the server has it. */
const lengthMax = 4_000

/** @throws cli.usage, login.*, server.*, api.rate */
export async function feedback(
  context: Context,
  text: string,
  { yes = false }: { readonly yes?: boolean },
): Promise<number> {
  const said = text.trim()
  if (said === '' || said.length > lengthMax)
    throw fail('cli.usage', `Feedback is a text of 1 to ${lengthMax} characters.`)
  const { client, server } = await connectApi(context)
  const attached = {
    ptun: version,
    node: process.versions.node,
    system: `${process.platform} ${process.arch}`,
  }
  say(context, `To whoever runs ${server}, with the account that you are signed in to:`)
  say(context, ...formatTable([['Text', printable(said)], ...Object.entries(attached)]))
  if (!yes && !(await askYes(context, { act: 'Feedback', question: 'Send it?' }))) {
    say(context, 'Nothing was sent.')
    return 1
  }
  await client.sendFeedback({ text: said, attached })
  say(context, 'Sent. Thank you.')
  tell(context, { event: 'feedback.sent', server, attached })
  return 0
}
