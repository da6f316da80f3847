import { startExample, type RunningExample } from '../examples/start-example.ts'
import type { TestScope } from '../support/database.ts'

export const pageOrigin = 'https://admin.example.com'
const passwords = { ada: 'the password of an administrator', carl: 'the password of a clerk' }

export interface Call {
  method?: string
  headers?: Record<string, string>
  body?: string | Uint8Array<ArrayBuffer>
}

export interface RunningService extends RunningExample {
  origin: string
  /** What the caller sends with each request: `token` or `session`. */
  logIn: (name: keyof typeof passwords) => Promise<Record<'token' | 'session', Record<string, string>>>
  /** Below the address of the backups. */
  call: (path: string, call?: Call) => Promise<Response>
}

/** The service of examples/service, in a process of its own. Its snapshots are in ./backups of the directory. */
export async function startService (
  t: TestScope, { url, directory, env = {} }: { url: string, directory: string, env?: NodeJS.ProcessEnv }
): Promise<RunningService> {
  const example = startExample(t, 'service/server.js', {
    cwd: directory,
    env: {
      DATABASE_URL: url,
      ADMIN_PASSWORD: passwords.ada,
      CLERK_PASSWORD: passwords.carl,
      JWT_SECRET: 'the secret of the tokens',
      SESSION_SECRET: 'a secret of at least 32 characters',
      PAGE_ORIGIN: pageOrigin,
      ...env
    }
  })
  await example.prints('Server listening at ')
  const origin = /Server listening at (?<url>http:[^"]+)/.exec(example.output())?.groups?.url ?? ''
  return {
    ...example,
    origin,
    async logIn (name) {
      const response = await fetch(`${origin}/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name, password: passwords[name] })
      })
      const { token } = await response.json() as { token: string }
      const [cookie = ''] = response.headers.getSetCookie()
      return { token: { authorization: `Bearer ${token}` }, session: { cookie: cookie.replace(/;.*/, '') } }
    },
    call: async (path, call = {}) => await fetch(`${origin}/admin/backup${path}`, call)
  }
}
