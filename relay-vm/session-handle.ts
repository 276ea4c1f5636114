/** What routes and visitors need of a mux session; the small interface lets tests stand one in. */
import type { Session } from '@porttunneler/shared/mux/session'

export type SessionHandle = Partial<Pick<Session, 'isSpent'>> &
  Pick<Session, 'id' | 'state' | 'rttMs' | 'open' | 'unbound' | 'resetBind'>
