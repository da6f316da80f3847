import type { onRequestAsyncHookHandler } from 'fastify'
import type { Sql } from 'postgres'

export interface User { id: string, role: 'admin' | 'clerk' }

declare module '@fastify/jwt' {
  interface FastifyJWT { payload: User, user: User }
}

declare module 'fastify' {
  interface Session { user?: User }
  interface FastifyInstance {
    sql: Sql
    verifyToken: onRequestAsyncHookHandler
    verifySession: onRequestAsyncHookHandler
    verifyAdmin: onRequestAsyncHookHandler
  }
}
