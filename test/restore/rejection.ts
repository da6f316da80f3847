export interface Rejection {
  message: string
  problems: unknown
  drift: unknown
}

interface Assertions {
  match: (found: unknown, pattern: object, message?: string) => unknown
}

/** Asserts that the call is rejected with this code. The caller compares the lists of the error exactly. */
export async function rejectionOf (
  t: Assertions, call: Promise<unknown>, code: string, message?: string
): Promise<Rejection> {
  const error: unknown = await call.then(() => undefined, (reason: unknown) => reason)
  t.match(error, { code }, message)
  const { message: text, problems, drift } = Object(error)
  return { message: String(text), problems, drift }
}
