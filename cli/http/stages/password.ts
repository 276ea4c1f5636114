/** Lets in only requests with one of the logins, and takes the password off before the upstream sees the request. */
import type { PassingRequest, Reply, Stage, StageParts } from '../pipeline.ts'
import { isLogin, type Login } from './logins.ts'

export function passwordStage(logins: readonly Login[], { guesses, realm }: StageParts): Stage {
  const judge = ({
    edit,
    visitorAddress,
  }: PassingRequest): 'visitor.password' | 'visitor.guesses' | undefined => {
    const sent = edit.values('authorization')
    if (sent.length > 0 && guesses.waitSeconds(visitorAddress) > 0) return 'visitor.guesses'
    // With two of them, nobody knows which one counts.
    if (sent.length === 1 && isLogin(logins, sent[0])) return undefined
    if (sent.length > 0) guesses.count(visitorAddress)
    return 'visitor.password'
  }
  return {
    onRequest: (request): Reply | undefined => {
      const key = judge(request)
      request.edit.remove('authorization')
      if (key === undefined) return undefined
      if (key === 'visitor.password')
        return { kind: 'page', key, fields: [`WWW-Authenticate: Basic realm="${realm}", charset="UTF-8"`] }
      return {
        kind: 'page',
        key,
        retryAfterSeconds: Math.max(1, guesses.waitSeconds(request.visitorAddress)),
      }
    },
  }
}
