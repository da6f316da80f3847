import Fastify, { type FastifyInstance } from 'fastify'
import backup, {
  backupPlugin,
  createBackupService,
  type Backup,
  type BackupOptions,
  type BackupService,
  type RestoreResult
} from 'fastify-backup'

const options: BackupOptions = {
  enabled: true,
  connection: 'postgres://127.0.0.1/shop',
  auth: false,
  schedule: { enabled: true }
}

export async function start (): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(backup, options)
  return app
}

export async function copyAndRestore (app: FastifyInstance): Promise<RestoreResult> {
  const service: BackupService = app.backup
  const run: Backup = await service.create({ note: 'before the migration' })
  return service.restore(run.id)
}

export async function createByScript (): Promise<Backup> {
  const service = createBackupService({ connection: 'postgres://127.0.0.1/shop' })
  try {
    return await service.create()
  } finally {
    await service.close()
  }
}

export const same: boolean = backup === backupPlugin

// @ts-expect-error -- if the declarations resolved to any, this would compile
export const misspelt: BackupOptions = { allowRestores: true }
