import { existsSync, statSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as promises from 'node:fs/promises'
import t from 'tap'
import { moveFile, syncDirectory, type FileSystem } from '../../lib/storage/move-file.ts'
import { useDirectory } from '../support/directory.ts'
import { failing, fileSystemWith, systemError, watchHandles } from './file-system-double.ts'

const name = 'a_1.json'
/** A source file in one directory, and an empty directory as the target. */
async function usePlaces (t: {
  after: (clean: () => Promise<void>) => void
}): Promise<{ source: string; target: string }> {
  const source = join(await useDirectory(t), 'spool')
  await writeFile(source, 'snapshot', { mode: 0o600 })
  return { source, target: await useDirectory(t) }
}

/** Replaces link() and rename() as if `source` were on another device. */
function otherDeviceFor (source: string): Pick<FileSystem, 'link' | 'rename'> {
  const unlessAcross = (move: typeof promises.rename): typeof promises.rename => async (from, to) => {
    if (from === source) throw systemError('EXDEV')
    await move(from, to)
  }
  return { link: unlessAcross(promises.link), rename: unlessAcross(promises.rename) }
}

t.test('from another device the file is copied and synced before it gets its name', async (t) => {
  const { source, target } = await usePlaces(t)
  const { open, handles } = watchHandles()
  await promises.chmod(source, 0o644)
  await moveFile(fileSystemWith({ ...otherDeviceFor(source), open }), source, target, name)
  t.strictSame(await readdir(target), [name])
  t.equal(String(await readFile(join(target, name))), 'snapshot')
  if (process.platform !== 'win32') t.equal((await stat(join(target, name))).mode & 0o777, 0o600)
  t.equal(handles.length, 1)
  t.match(handles[0], { path: /\.partial$/, synced: 1, closed: 1 })
})

t.test('the file is moved from a real other device', { skip: otherDevice() === undefined }, async (t) => {
  const elsewhere = await mkdtemp(join(otherDevice() ?? '', 'fastify-backup-test-'))
  t.after(async () => { await rm(elsewhere, { recursive: true }) })
  const source = join(elsewhere, 'spool')
  await writeFile(source, 'snapshot')
  const target = await useDirectory(t)
  await moveFile(promises, source, target, name)
  t.strictSame(await readdir(target), [name])
  t.equal(String(await readFile(join(target, name))), 'snapshot')
  await t.rejects(moveFile(promises, source, target, name), { code: 'EEXIST' })
  t.strictSame(await readdir(target), [name])
})

function otherDevice (): string | undefined {
  return existsSync('/dev/shm') && statSync('/dev/shm').dev !== statSync(tmpdir()).dev ? '/dev/shm' : undefined
}

t.test('the file is moved from another device to a file system without hard links', async (t) => {
  const { source, target } = await usePlaces(t)
  const fs = fileSystemWith({ ...otherDeviceFor(source), link: failing('ENOTSUP') })
  await moveFile(fs, source, target, name)
  t.strictSame(await readdir(target), [name])
  await t.rejects(moveFile(fs, source, target, name), { code: 'EEXIST' })
  t.strictSame(await readdir(target), [name])
})

t.test('when the copy runs out of space, it is removed and the source stays', async (t) => {
  const { source, target } = await usePlaces(t)
  const fs = fileSystemWith({
    ...otherDeviceFor(source),
    copyFile: async (_, to) => { await writeFile(to, 'snap'); throw systemError('ENOSPC') }
  })
  await t.rejects(moveFile(fs, source, target, name), { code: 'ENOSPC' })
  t.strictSame(await readdir(target), [])
  t.equal(String(await readFile(source)), 'snapshot')

  await t.rejects(moveFile(fileSystemWith({ ...fs, unlink: failing('EIO') }), source, target, name), { code: 'ENOSPC' })
})

t.test('a copy that cannot be synced is removed', async (t) => {
  const { source, target } = await usePlaces(t)
  const { open, handles } = watchHandles()
  const fs = fileSystemWith({
    ...otherDeviceFor(source),
    open: async (path, flags) => Object.assign(await open(path, flags), { sync: failing('EIO') })
  })
  await t.rejects(moveFile(fs, source, target, name), { code: 'EIO' })
  t.strictSame(await readdir(target), [])
  t.strictSame(handles.map(({ closed }) => closed), [1])
})

t.test('without hard links an existing name is refused, even that of a dangling link', async (t) => {
  const { source, target } = await usePlaces(t)
  const fs = fileSystemWith({ link: failing('EPERM') })
  await writeFile(join(target, name), 'there')
  await t.rejects(moveFile(fs, source, target, name), { code: 'EEXIST' })
  t.equal(String(await readFile(join(target, name))), 'there')

  if (process.platform !== 'win32') {
    await symlink('nowhere', join(target, 'link_1.json'))
    await t.rejects(moveFile(fs, source, target, 'link_1.json'), { code: 'EEXIST' })
  }
  await t.rejects(moveFile(fileSystemWith({ ...fs, lstat: failing('EIO') as never }), source, target, 'b_1.json'), {
    code: 'EIO'
  })
  t.equal(String(await readFile(source)), 'snapshot')
})

t.test('a directory that the platform cannot sync is not an error, but a failing disk is', async (t) => {
  const directory = await useDirectory(t)
  for (const code of ['EISDIR', 'EPERM', 'EINVAL', 'ENOTSUP', 'ENOSYS', 'EBADF']) {
    await t.resolves(syncDirectory(fileSystemWith({ open: failing(code) }), directory))
  }
  const { open, handles } = watchHandles()
  const syncFailing = (code: string) => fileSystemWith({
    open: async (path, flags) => Object.assign(await open(path, flags), { sync: failing(code) })
  })
  if (process.platform !== 'win32') {
    await t.resolves(syncDirectory(syncFailing('EINVAL'), directory))
    await t.rejects(syncDirectory(syncFailing('EIO'), directory), { code: 'EIO' })
    t.strictSame(handles.map(({ closed }) => closed), [1, 1])
  }
  await t.rejects(syncDirectory(promises, join(directory, 'missing')), { code: 'ENOENT' })
  await t.rejects(
    syncDirectory(
      fileSystemWith({
        open: async () => {
          throw new TypeError('no system error')
        }
      }),
      directory
    ),
    TypeError
  )
})
