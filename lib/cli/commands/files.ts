import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { codeOf } from '../../own-error.ts'
import { checkFile, inspectFile } from '../../service/check-file.ts'
import { copyDownload, saveFile } from '../../service/save-file.ts'
import type { Backup, Download } from '../../../types/index.ts'
import { actorOf, actorOption, type Call, type Command, given, longCallOf } from '../command.ts'
import { findId } from '../find-id.ts'
import { exitCodes, UsageError } from '../host.ts'
import { printable } from '../printable.ts'
import { renderBackup } from '../render-backups.ts'
import { renderManifest, renderVerification } from '../render-files.ts'
import { formatBytes } from '../format-values.ts'

/** A file is named by a path: it contains a dot or a slash, which no id does. */
const isPath = (text: string): boolean => /[./\\]/.test(text)

const verify: Command = {
  name: 'verify',
  summary: 'read a snapshot completely and check it',
  details: 'Checks checksums, structure and counts, and loads nothing. A file needs no database and no ' +
    'configuration; write ./name for one without a dot. Ends with exit code 3 if there are problems.',
  args: [['<id|file>', 'the id, its first characters, or the path of a file']],
  options: [],
  example: 'fastify-backup verify backups/public_2026-11-22T17-45-00-123Z.json',
  usesService: true,
  async run (call) {
    const { ui, host, args: [source = ''] } = call
    const verification = isPath(source)
      ? await checkFile(resolve(host.cwd, source), longCallOf(call))
      : await call.withService(async (service) =>
        await service.verify(await findId(service, source), longCallOf(call)))
    ui.result(verification, () => renderVerification(verification, ui.style))
    return verification.ok ? exitCodes.done : exitCodes.unhealthy
  }
}

const inspect: Command = {
  name: 'inspect',
  summary: 'show the manifest of a snapshot',
  details: 'Reads only the beginning of the file. A file needs no database and no configuration; write ./name for ' +
    'one without a dot.',
  args: [['<id|file>', 'the id, its first characters, or the path of a file']],
  options: [],
  example: 'fastify-backup inspect snapshot.json',
  usesService: true,
  async run (call) {
    const { ui, host, args: [source = ''] } = call
    const contents = isPath(source)
      ? await inspectFile(resolve(host.cwd, source))
      : await call.withService(async (service) => {
        const id = await findId(service, source)
        const manifest = await service.manifest(id)
        return { sizeBytes: Number((await service.get(id)).storedBytes), manifest }
      })
    ui.result(contents, () => renderManifest(contents, ui.width, ui.style))
    return exitCodes.done
  }
}

const importFile: Command = {
  name: 'import',
  summary: 'import a snapshot file',
  args: [['<file>', 'the path of the file, or - for the standard input']],
  options: [['--note <text>', 'a note for the log (default: that of the snapshot)'], actorOption],
  example: 'fastify-backup import snapshot.json',
  usesService: true,
  run: async (call) => await call.withService(async (service) => {
    const { ui, host, args: [file = ''] } = call
    const source = file === '-' ? host.stdin as Readable : createReadStream(resolve(host.cwd, file))
    // Its error reaches import(); without a listener one that comes later would end the process
    source.on('error', () => {})
    const imported = await service.import(source, { ...given(call, 'note'), ...actorOf(call), ...longCallOf(call) })
      .catch((error: unknown) => { throw source.errored ?? error })
      .finally(() => { source.destroy() })
    ui.result(imported, () => renderBackup(imported, ui.style))
    return exitCodes.done
  })
}

const exportFile: Command = {
  name: 'export',
  summary: 'write a snapshot to a file or to the standard output',
  args: [
    ['<id>', 'the id, or its first characters'],
    ['[file]', 'the path, or - for the standard output (default: its name)']
  ],
  details: 'Writes the file as it is stored, which may be compressed. With --as-json, it writes the JSON, and the ' +
    'default name ends in .json.',
  options: [['--force', 'replace an existing file'], ['--as-json', 'write the JSON of a compressed snapshot']],
  example: 'fastify-backup export 3f2a9c11 - --as-json | jq .manifest.totalRows',
  usesService: true,
  run: async (call) => await call.withService(async (service) => {
    const { ui, host, values } = call
    const id = await findId(service, String(call.args[0]))
    const open = async (): Promise<Download> =>
      await service.download(id, undefined, values.asJson === true ? { as: 'json' } : {})
    if (call.args[1] === '-') return await writeToOutput(call, await open())
    const file = call.args[1] ?? nameOf(await service.get(id), values.asJson === true)
    const path = resolve(host.cwd, file)
    const replace = values.force === true
    await checkTarget(path, replace)
    const download = await open()
    const { sizeBytes, checksum } = download
    await saveFile(download, path, { replace, signal: host.interrupted }).catch((error: unknown) => {
      throw codeOf(error) === 'EEXIST' ? alreadyExists(path) : error
    })
    ui.result({ file: path, sizeBytes, checksum }, () => `Wrote ${printable(path)}, ${formatBytes(sizeBytes)}.`)
    return exitCodes.done
  })
}

/** Known before the download begins, so that an existing file is refused without one. */
const nameOf = ({ filename }: Backup, asJson: boolean): string =>
  asJson ? filename.replace(/\.(?:gz|zst)$/, '') : filename

const alreadyExists = (path: string): UsageError =>
  new UsageError(`${path} exists; use --force to replace it`, 'EEXIST')

/** Looks before the download has taken its time. A device or a directory is never replaced. */
async function checkTarget (path: string, replace: boolean): Promise<void> {
  const existing = await stat(path).catch(() => undefined)
  if (existing === undefined) return
  if (!existing.isFile()) throw new UsageError(`${path} is no regular file; name another, or - for the standard output`)
  if (!replace) throw alreadyExists(path)
}

/** A reader that has read enough, such as head, is no failure. */
async function writeToOutput ({ host: { stdout, interrupted } }: Call, download: Download): Promise<number> {
  try {
    await copyDownload(download, stdout, { signal: interrupted, end: false })
  } catch (error) {
    if (codeOf(error) !== 'EPIPE') throw error
  }
  return exitCodes.done
}

export const fileCommands: Command[] = [verify, inspect, importFile, exportFile]
