import createClient, { type Client } from 'openapi-fetch'
import type { components, paths } from './api.js'

type Backup = components['schemas']['Backup']

/** The data of an answer, which must not be an error. */
function dataOf<T> ({ data, error }: { data?: T, error?: components['schemas']['Error'] }): T {
  if (error !== undefined) throw new Error(`${error.statusCode} ${String(error.code)}: ${error.message}`)
  if (data === undefined) throw new Error('there is no data')
  return data
}

const create = async (client: Client<paths>): Promise<Backup> => {
  const created = await client.POST('/admin/backup', { body: { note: 'before the migration' } })
  const backup = dataOf(created)
  if (created.response.headers.get('location') !== `/admin/backup/${backup.id}`) throw new Error('a wrong Location')
  return backup
}

async function downloadAndImport (client: Client<paths>, path: { id: string }): Promise<Backup> {
  const { data, response } = await client.GET('/admin/backup/{id}/download', { params: { path }, parseAs: 'text' })
  if (data === undefined) throw new Error(`${response.status}`)
  return dataOf(await client.POST('/admin/backup/import', { body: data, bodySerializer: (text) => text }))
}

/** What a client that is generated from the document sees of a service. */
export interface Cycle {
  created: Backup
  listed: Backup[]
  got: Backup
  manifest: components['schemas']['Manifest']
  verified: components['schemas']['Verification']
  plan: components['schemas']['RestorePlan']
  restored: components['schemas']['RestoreResult']
  imported: Backup
  missing: components['schemas']['Error'] | undefined
}

/** A full cycle. Each type in it is one of the generated client. */
export async function runCycle (baseUrl: string, token: string): Promise<Cycle> {
  const client = createClient<paths>({ baseUrl, headers: { authorization: `Bearer ${token}` } })
  const created = await create(client)
  const path = { id: created.id }
  const params = { path }

  const query = { schema: created.schema, status: 'completed', since: created.startedAt } as const
  const { backups: listed } = dataOf(await client.GET('/admin/backup', { params: { query } }))
  const got = dataOf(await client.GET('/admin/backup/{id}', { params }))
  const manifest = dataOf(await client.GET('/admin/backup/{id}/manifest', { params }))
  const imported = await downloadAndImport(client, path)
  const verified = dataOf(await client.POST('/admin/backup/{id}/verify', { params }))
  const plan = dataOf(await client.POST('/admin/backup/{id}/plan', { params }))
  const answer = dataOf(await client.POST('/admin/backup/{id}/restore', { params, body: { tables: ['users'] } }))
  // With `Prefer: respond-async` it would be a Backup
  if (!('preRestoreId' in answer)) throw new Error('the restore has not ended')
  const removed = await client.DELETE('/admin/backup/{id}', { params: { path: { id: imported.id } } })
  if (removed.response.status !== 204) throw new Error(`removed with ${removed.response.status}`)
  const { error: missing } = await client.GET('/admin/backup/{id}', { params: { path: { id: imported.id } } })
  return { created, listed, got, manifest, verified, plan, restored: answer, imported, missing }
}
