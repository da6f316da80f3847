import type { Test } from 'tap'

export interface Rejection {
  message: string
  problems: string[]
  drift: unknown
}

/** Asserts that the call is rejected with this code. The lists of the error are returned for an exact comparison. */
export async function rejectionOf (
  t: Pick<Test, 'match'>, call: Promise<unknown>, code: string, message = code
): Promise<Rejection> {
  const error: unknown = await call.then(() => undefined, (reason: unknown) => reason)
  t.match(error, { code }, message)
  const { message: text, problems, drift } = Object(error)
  return { message: String(text), problems: Array.isArray(problems) ? problems.map(String) : [], drift }
}
