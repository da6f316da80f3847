import { readSchemas } from '../postgres/catalog/server.ts'
import { pinSettings } from '../postgres/settings.ts'
import { inTransaction } from '../postgres/driver/transaction.ts'
import { previewRestore } from '../restore/preview-restore.ts'
import type { RestoreTarget } from '../restore/restore-scope.ts'
import type { PlanOptions, RestorePlan } from '../../types/index.ts'
import { checkArguments, checkId } from '../arguments/check-arguments.ts'
import { isVisible, requireAllowed } from '../callers/schema-access.ts'
import { type Context, logTable } from '../runs/context.ts'
import { createPlanProgress } from '../runs/report-progress.ts'
import { openSnapshot } from '../runs/open-snapshot.ts'
import type { Completed } from '../log/completed-backup.ts'
import { getAvailable } from '../callers/visible-backups.ts'
import { readHeadOf } from './read-manifest.ts'

/** A backup to restore, and the schema to restore it into. */
export interface RestoreSource { source: Completed, schema: string }

/** Checks the schema of the request before it looks for the backup, so that a refusal does not depend on the backup. */
export async function findRestoreSource (context: Context, id: string, request: PlanOptions): Promise<RestoreSource> {
  checkId(id)
  if (request.schema !== undefined) requireAllowed(context, request.schema)
  const source = await getAvailable(context, id)
  return { source, schema: requireAllowed(context, request.schema ?? source.schema) }
}

export async function restoreTarget (
  context: Context, schema: string, { tables }: PlanOptions
): Promise<RestoreTarget> {
  return {
    schema,
    tables,
    excludeTables: context.options.excludeTables,
    logTable: logTable(context),
    allowedSchemas: await allowedSchemas(context)
  }
}

/**
 * The names of the schemas that the caller may use, for the worker thread, which cannot call the function that decides.
 * Null when callers may use all schemas.
 */
async function allowedSchemas (context: Context): Promise<string[] | null> {
  if (!context.options.areCallersBounded) return null
  const schemas = await inTransaction(context.sql, 'ISOLATION LEVEL READ COMMITTED READ ONLY', async (tx) => {
    await pinSettings(tx)
    return await readSchemas(tx)
  })
  return schemas.filter((schema) => isVisible(context, schema))
}

export async function planRestore (context: Context, id: string, request: PlanOptions = {}): Promise<RestorePlan> {
  checkArguments('plan', request)
  const { source, schema } = await findRestoreSource(context, id, request)
  const run = await context.runs.beginQuery(request.signal)
  return await plan(context, { source, schema }, request, run.signal).finally(run.end)
}

async function plan (
  context: Context, { source, schema }: RestoreSource, request: PlanOptions, signal: AbortSignal
): Promise<RestorePlan> {
  const stream = await openSnapshot(context, source)
  try {
    const { manifest } = await readHeadOf(context, source, stream)
    const target = await restoreTarget(context, schema, request)
    const { onProgress } = createPlanProgress(context, source.id, request.onProgress)
    return { id: source.id, ...await previewRestore(context.sql, manifest, target, { onProgress, signal }) }
  } finally {
    stream.destroy()
  }
}
