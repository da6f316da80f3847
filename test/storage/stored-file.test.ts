import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import t from 'tap'
import { openStoredFile } from '../../lib/storage/stored-file.ts'
import { until } from '../support/until.ts'
import { useDirectory } from '../support/directory.ts'
import { failing, fileSystemWith, systemError, watchHandles } from './file-system-double.ts'

const name = 'shop_2026-11-22T17-45-00-123Z.json'

t.test('a stored file of any size is read', async (t) => {
  const directory = await useDirectory(t)
  for (const size of [0, 1, 3_000_000]) {
    const bytes = Buffer.alloc(size, 'row')
    await writeFile(join(directory, name), bytes)
    t.ok((await buffer(await openStoredFile({ directory, name }))).equals(bytes), `${size} bytes`)
  }
})

t.test('the file is closed after it is read completely, in part, or not at all', async (t) => {
  const directory = await useDirectory(t)
  await writeFile(join(directory, name), Buffer.alloc(3_000_000))
  const { handles, open } = watchHandles()
  const isClosed = async (): Promise<void> => { await until(async () => handles.every(({ closed }) => closed === 1)) }
  const fs = fileSystemWith({ open })
  for await (const chunk of await openStoredFile({ directory, name }, undefined, fs)) t.ok(chunk.length > 0)
  await isClosed()
  for await (const chunk of await openStoredFile({ directory, name }, undefined, fs)) if (chunk.length > 0) break
  await isClosed()
  ;(await openStoredFile({ directory, name }, undefined, fs)).destroy()
  await isClosed()
  t.equal(handles.length, 3)
})

t.test('a missing file is FST_BACKUP_FILE_GONE, an unreadable one FST_BACKUP_STORAGE_FAILED', async (t) => {
  const directory = await useDirectory(t)
  await t.rejects(openStoredFile({ directory, name }), { code: 'FST_BACKUP_FILE_GONE', message: new RegExp(name) })
  await mkdir(join(directory, name))
  await t.rejects(openStoredFile({ directory, name }), { code: 'FST_BACKUP_FILE_GONE' })
  await t.rejects(openStoredFile({ directory, name: '../x.json' }), { code: 'FST_BACKUP_ARGUMENT_INVALID' })
  await t.rejects(openStoredFile({ directory, name }, undefined, fileSystemWith({ open: failing('EACCES') })), {
    code: 'FST_BACKUP_STORAGE_FAILED',
    cause: { code: 'EACCES' }
  })

  const other = 'other_1.json'
  await writeFile(join(directory, other), 'rows')
  const { open } = fileSystemWith({})
  const fs = fileSystemWith({
    open: async (path, flags) =>
      Object.assign(await open(path, flags), {
        read: async () => {
          throw systemError('EIO')
        }
      }) as never
  })
  await t.rejects(buffer(await openStoredFile({ directory, name: other }, undefined, fs)), {
    code: 'FST_BACKUP_STORAGE_FAILED',
    message: /EIO/
  })
})
