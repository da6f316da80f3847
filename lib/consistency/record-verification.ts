import type { Verification } from '../../types/index.ts'
import type { Context } from '../runs/context.ts'
import { errorText } from '../runs/public-error.ts'

/** Never rejects: the caller has the result, and only the mark in the log is missing. */
export async function recordVerification ({ log, logger }: Context, id: string, found: Verification): Promise<void> {
  await log.recordVerification(id, found).catch((error: unknown) => {
    logger.warn({ id, ok: found.ok, reason: errorText(error) },
      'the result of a verification could not be recorded; verify the snapshot again')
  })
}
