import { ApiError } from '../client/api.ts'
import { remedies } from '../words.ts'
import { errorText, placeOf } from './templates.ts'

/** Whether the service may have done what it was asked: the connection was lost, or a proxy answered in its place. */
export const isUnanswered = (error: unknown): boolean =>
  error instanceof ApiError && error.code === '' && (error.status === 0 || error.status >= 500)

const mostDetails = 5

/**
 * Why a call failed, what is known, and what to do.
 * @param unanswered without an answer: what is not known, and what to do
 */
export function failureText (error: unknown, unanswered: string): string {
  if (!(error instanceof ApiError)) return errorText(error)
  const { message, status, code, drift, problems } = error
  if (isUnanswered(error)) return `${sentence(message)} ${unanswered}`
  const details = [...drift.map((entry) => `${placeOf(entry)}: ${entry.problem}`), ...problems]
  return [
    message,
    ...details.slice(0, mostDetails),
    ...details.length > mostDetails ? [`And ${details.length - mostDetails} more`] : [],
    ...status === 401 || status === 403 ? ['The service refused it, and nothing has changed'] : [],
    ...remedies[code] === undefined ? [] : [remedies[code]]
  ].map(sentence).join(' ')
}

const sentence = (text: string): string => /[.!?…]$/.test(text) ? text : `${text}.`

/** What to do after a run has failed. @param code of its error; null or empty if it is not known */
export const remedyOf = (code: string | null): string => remedies[code ?? ''] ?? 'Correct the cause, then try again.'
