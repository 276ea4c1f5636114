/** The part of a mux session that routes and visitors need; the small interface lets tests replace it. */
import type { Session } from '@porttunneler/shared/mux/session'

export type SessionHandle = Partial<Pick<Session, 'isSpent'>> &
  Pick<Session, 'id' | 'state' | 'rttMs' | 'open' | 'unbound' | 'resetBind'>
