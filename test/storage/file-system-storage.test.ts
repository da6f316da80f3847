import { execFile, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readdir, readFile, stat, symlink, unlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join, relative } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { createFileSystemStorage } from '../../lib/storage/file-system-storage.ts'
import { useDirectory } from '../support/directory.ts'
import { failing, fileSystemWith, systemError, watchHandles } from './file-system-double.ts'
import { testStorage } from './storage-contract.ts'

const run = promisify(execFile)
const isWindows = process.platform === 'win32'
const name = 'public_2026-11-22T17-45-00-123Z.json'

async function spoolIn (directory: string, content = 'snapshot', mode = 0o600): Promise<string> {
  const path = join(directory, '.spool.partial')
  await writeFile(path, content)
  await chmod(path, mode)
  return path
}
const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777

t.test('the file system storage fulfills the contract of a storage', async (t) => {
  await testStorage(t, async (t) => createFileSystemStorage(join(await useDirectory(t), 'backups')))
})

t.test('it fulfills the contract without hard links', async (t) => {
  await testStorage(t, async (t) =>
    createFileSystemStorage(join(await useDirectory(t), 'backups'), fileSystemWith({ link: failing('EPERM') }))
  )
})

t.test('a missing directory is created with its parents, and only this user can access it and its files', async (t) => {
  const directory = await useDirectory(t)
  const root = join(directory, 'deep', 'backups')
  const storage = createFileSystemStorage(root)
  await storage.publish(await spoolIn(directory, 'x', 0o644), name)
  if (!isWindows) {
    t.equal(await modeOf(root), 0o700)
    t.equal(await modeOf(join(directory, 'deep')), 0o700)
    t.equal(await modeOf(join(root, name)), 0o600)
  }
  t.strictSame(await readdir(root), [name])
})

t.test('an existing directory keeps its mode', { skip: isWindows }, async (t) => {
  const directory = await useDirectory(t)
  await chmod(directory, 0o755)
  await createFileSystemStorage(directory).publish(await spoolIn(directory), name)
  t.equal(await modeOf(directory), 0o755)
})

t.test('a relative directory does not change when the process changes its working directory', async (t) => {
  const directory = await useDirectory(t)
  const before = process.cwd()
  const storage = createFileSystemStorage(relative(before, join(directory, 'backups')))
  await mkdir(join(directory, 'else', 'where'), { recursive: true })
  process.chdir(join(directory, 'else', 'where'))
  t.after(async () => { process.chdir(before) })
  await storage.publish(await spoolIn(directory), name)
  t.strictSame(await readdir(join(directory, 'backups')), [name])
})

t.test('a missing directory is empty, and reading does not create it', async (t) => {
  const directory = await useDirectory(t)
  const storage = createFileSystemStorage(join(directory, 'backups'))
  t.strictSame(await storage.list(), [])
  t.equal(await storage.stat(name), null)
  await storage.remove(name)
  await t.rejects(storage.open(name), { code: 'ENOENT' })
  t.strictSame(await readdir(directory), [])
})

t.test('of concurrent publications of one name, one succeeds', async (t) => {
  const directory = await useDirectory(t)
  const storage = createFileSystemStorage(join(directory, 'backups'))
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, async (_, index) => {
    await mkdir(join(directory, String(index)))
    await storage.publish(await spoolIn(join(directory, String(index)), `from ${index}`), name)
  }))
  t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
  t.match(
    outcomes.find(({ status }) => status === 'rejected'),
    {
      reason: {
        code: 'FST_BACKUP_STORAGE_FAILED',
        message: /failed to publish the snapshot \(EEXIST\)/,
        cause: { code: 'EEXIST' }
      }
    }
  )
  t.equal(
    String(await buffer(await storage.open(name))),
    `from ${outcomes.findIndex(({ status }) => status === 'fulfilled')}`
  )
})

t.test('anything except a regular file counts as missing and is not changed', async (t) => {
  const directory = await useDirectory(t)
  const storage = createFileSystemStorage(directory)
  await writeFile(join(directory, 'secret.txt'), 'secret')
  await mkdir(join(directory, 'directory_1.json'))
  const names = ['directory_1.json']
  if (!isWindows) {
    await symlink('secret.txt', join(directory, 'link_1.json'))
    await symlink('nowhere', join(directory, 'dangling_1.json'))
    execFileSync('mkfifo', [join(directory, 'fifo_1.json')])
    names.push('link_1.json', 'dangling_1.json', 'fifo_1.json', ...await listenOn(t, directory, 'socket_1.json'))
  }
  const before = await readdir(directory)

  for (const name of names) {
    t.equal(await storage.stat(name), null, name)
    await t.rejects(storage.open(name), { code: 'ENOENT' }, name)
    await storage.remove(name)
    const spool = await spoolIn(await useDirectory(t))
    await t.rejects(storage.publish(spool, name), { code: 'FST_BACKUP_STORAGE_FAILED' }, name)
  }
  t.strictSame(await storage.list(), [])
  t.strictSame(await readdir(directory), before)
  t.equal(String(await readFile(join(directory, 'secret.txt'))), 'secret')
})

/** The path of a Unix socket is limited to about 100 bytes, so this uses the bare name. */
async function listenOn (t: Test, directory: string, name: string): Promise<string[]> {
  const before = process.cwd()
  process.chdir(directory)
  const server = createServer()
  t.after(async () => { server.close() })
  try {
    server.listen(name)
    await once(server, 'listening')
  } finally {
    process.chdir(before)
  }
  return [name]
}

t.test('list() skips foreign files and spool files', async (t) => {
  const directory = await useDirectory(t)
  const files = [name, '.spool.json', `.${name}.partial`, 'notes.txt', 'über.json', `${name}~`]
  await Promise.all(files.map((file) => writeFile(join(directory, file), '12345')))
  t.strictSame(await createFileSystemStorage(directory).list(), [{ name }])
})

t.test('a file in place of the directory makes every method fail with the code of the system', async (t) => {
  const directory = await useDirectory(t)
  const path = join(directory, 'backups')
  await writeFile(path, '')
  const storage = createFileSystemStorage(path)
  const code = 'FST_BACKUP_STORAGE_FAILED'
  const spool = await spoolIn(directory)
  await t.rejects(storage.publish(spool, name), {
    code,
    message: /publish the snapshot \(EEXIST\)/,
    cause: { code: 'EEXIST' }
  })
  if (isWindows) return
  await t.rejects(storage.open(name), { code, message: /open the snapshot \(ENOTDIR\)/ })
  await t.rejects(storage.stat(name), { code, message: /check the snapshot \(ENOTDIR\)/ })
  await t.rejects(storage.remove(name), { code, message: /remove the snapshot \(ENOTDIR\)/ })
  await t.rejects(storage.list(), { code, message: /list the snapshots \(ENOTDIR\)/ })
})

t.test('publish() and remove() sync the directory, and the parents of a new one', { skip: isWindows }, async (t) => {
  const directory = await useDirectory(t)
  const root = join(directory, 'deep', 'backups')
  const { open, handles } = watchHandles()
  const storage = createFileSystemStorage(root, fileSystemWith({ open }))
  const synced = (): string[] =>
    handles.splice(0).map(({ path, synced, closed }) => `${relative(directory, path)} ${synced} ${closed}`)

  await storage.publish(await spoolIn(directory), name)
  t.strictSame(synced(), ['deep 1 1', ' 1 1', 'deep/backups 1 1'])
  await storage.publish(await spoolIn(directory), 'another.json')
  t.strictSame(synced(), ['deep/backups 1 1'])
  await storage.remove(name)
  t.strictSame(synced(), ['deep/backups 1 1'])
})

t.test('when the directory cannot be synced, publish() leaves no file with the name', async (t) => {
  const directory = await useDirectory(t)
  const spool = await spoolIn(directory)
  const storage = createFileSystemStorage(join(directory, 'backups'), fileSystemWith({ open: failing('EIO') }))
  await mkdir(join(directory, 'backups'))
  await t.rejects(storage.publish(spool, name), { code: 'FST_BACKUP_STORAGE_FAILED', cause: { code: 'EIO' } })
  t.strictSame(await readdir(join(directory, 'backups')), [])
  t.equal(String(await readFile(spool)), 'snapshot')
})

t.test('when the spool file cannot be removed, publish() fails with that error', async (t) => {
  const directory = await useDirectory(t)
  const spool = await spoolIn(directory)
  const root = join(directory, 'backups')
  const unlinkOthers = fileSystemWith({
    unlink: async (path) => {
      if (path === spool) {
        throw systemError('EACCES')
      } await unlink(path)
    }
  })
  await t.rejects(createFileSystemStorage(root, unlinkOthers).publish(spool, name), {
    code: 'FST_BACKUP_STORAGE_FAILED',
    cause: { code: 'EACCES' }
  })
  t.strictSame(await readdir(root), [])

  const unlinkNone = fileSystemWith({
    unlink: async (path) => {
      throw systemError(path === spool ? 'EACCES' : 'EIO')
    }
  })
  await t.rejects(createFileSystemStorage(root, unlinkNone).publish(spool, name), { cause: { code: 'EACCES' } })
})

t.test('a file system without modes is accepted, and any other refusal of chmod() is an error', async (t) => {
  const directory = await useDirectory(t)
  for (const code of ['EPERM', 'ENOTSUP', 'ENOSYS']) {
    const storage = createFileSystemStorage(join(directory, code), fileSystemWith({ chmod: failing(code) }))
    await storage.publish(await spoolIn(directory), name)
    t.strictSame(await readdir(join(directory, code)), [name])
  }
  const storage = createFileSystemStorage(join(directory, 'EIO'), fileSystemWith({ chmod: failing('EIO') }))
  await t.rejects(storage.publish(await spoolIn(directory), name), { cause: { code: 'EIO' } })
})

t.test('a stream reads 64 KiB at a time, and closes its descriptor at the end and when it is destroyed', async (t) => {
  const directory = await useDirectory(t)
  await writeFile(join(directory, name), Buffer.alloc(150_000))
  const { open, handles } = watchHandles()
  const storage = createFileSystemStorage(directory, fileSystemWith({ open }))

  const sizes: number[] = []
  for await (const chunk of await storage.open(name)) sizes.push((chunk as Buffer).length)
  t.strictSame(sizes, [65_536, 65_536, 18_928])

  const unread = await storage.open(name)
  unread.destroy()
  await once(unread, 'close')
  t.strictSame(handles.map(({ closed }) => closed), [1, 1])
})

t.test('a failure to open or to stream leaves no open descriptor', async (t) => {
  const directory = await useDirectory(t)
  await writeFile(join(directory, name), 'x')
  await mkdir(join(directory, 'directory.json'))
  const { open, handles } = watchHandles()
  const storage = createFileSystemStorage(directory, fileSystemWith({ open }))
  for (const range of [
    { start: 5, end: 1 },
    { start: -1, end: 0 },
    { start: 1, end: 1 },
    { start: 0.5, end: 1 },
    { start: 0, end: Infinity }
  ]) {
    await t.rejects(storage.open(name, range), {
      code: 'FST_BACKUP_RANGE_INVALID',
      statusCode: 416,
      message: /has 1 bytes/
    })
  }
  if (!isWindows) await t.rejects(storage.open('directory.json'), { code: 'ENOENT' })
  t.ok(handles.length > 0)
  t.strictSame(handles.filter(({ closed }) => closed !== 1), [])
})

t.test('other errors of the system are the cause of the error', async (t) => {
  const directory = await useDirectory(t)
  await writeFile(join(directory, name), 'x')
  await t.rejects(createFileSystemStorage(directory, fileSystemWith({ open: failing('EMFILE') })).open(name), {
    cause: { code: 'EMFILE' }
  })
  await t.rejects(createFileSystemStorage(directory, fileSystemWith({ lstat: failing('EIO') as never })).stat(name), {
    cause: { code: 'EIO' }
  })
  await t.rejects(createFileSystemStorage(directory, fileSystemWith({ unlink: failing('EROFS') })).remove(name), {
    cause: { code: 'EROFS' }
  })
})

t.test('a file that may not be deleted is reported with EPERM', async (t) => {
  const directory = await useDirectory(t)
  const path = join(directory, name)
  await writeFile(path, 'x')
  const isImmutable = await run('chattr', ['+i', path]).then(() => true, () => false)
  if (!isImmutable) return t.comment('this system has no immutable files')
  t.after(async () => { await run('chattr', ['-i', path]) })
  await t.rejects(createFileSystemStorage(directory).remove(name), {
    code: 'FST_BACKUP_STORAGE_FAILED',
    message: /EPERM/
  })
})

t.test('a file that disappears during remove() or publish() is not an error', async (t) => {
  const directory = await useDirectory(t)
  await writeFile(join(directory, name), 'x')
  await createFileSystemStorage(directory, fileSystemWith({ unlink: failing('ENOENT') })).remove(name)
  const spool = await spoolIn(directory)
  await createFileSystemStorage(join(directory, 'backups'), fileSystemWith({ unlink: failing('ENOENT') })).publish(
    spool,
    name
  )
  t.strictSame(await readdir(join(directory, 'backups')), [name])
})

t.test('list() calls no stat() and filters by prefix', async (t) => {
  const directory = await useDirectory(t)
  for (const file of ['a_1.json', 'a_2.json', 'ab_1.json', 'b_1.json']) await writeFile(join(directory, file), 'x')
  const storage = createFileSystemStorage(
    directory,
    fileSystemWith({ lstat: failing('EIO') as never, stat: failing('EIO') as never })
  )
  t.strictSame((await storage.list('a_')).map(({ name }) => name).sort(), ['a_1.json', 'a_2.json'])
  t.equal((await storage.list()).length, 4)
})
