import { createReadStream } from 'node:fs'
import { resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Readable } from 'node:stream'
import { codeOf } from '../../own-error.ts'
import { checkFile, inspectFile } from '../../service/check-file.ts'
import { actorOf, actorOption, type Call, type Command, given, longCallOf } from '../command.ts'
import { findId } from '../find-id.ts'
import { exitCodes } from '../host.ts'
import { printable } from '../printable.ts'
import { renderBackup } from '../render-backups.ts'
import { renderManifest, renderVerification } from '../render-files.ts'
import { formatBytes } from '../format-values.ts'
import { saveFile } from '../save-file.ts'

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
  summary: 'show the manifest of a snapshot file',
  details: 'Needs no database and no configuration, and reads only the beginning of the file.',
  args: [['<file>', 'the path of a snapshot file']],
  options: [],
  example: 'fastify-backup inspect snapshot.json',
  usesService: false,
  async run ({ ui, host, args: [file = ''] }) {
    const contents = await inspectFile(resolve(host.cwd, file))
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
  options: [['--force', 'replace an existing file']],
  example: 'fastify-backup export 3f2a9c11 - | gzip > snapshot.json.gz',
  usesService: true,
  run: async (call) => await call.withService(async (service) => {
    const download = await service.download(await findId(service, String(call.args[0])))
    const { ui, host, values } = call
    const file = call.args[1] ?? download.filename
    if (file === '-') return await writeToOutput(call, download.stream)
    const path = resolve(host.cwd, file)
    await saveFile(download, path, { replace: values.force === true, signal: host.interrupted })
    const { sizeBytes, checksum } = download
    ui.result({ file: path, sizeBytes, checksum }, () => `Wrote ${printable(path)}, ${formatBytes(sizeBytes)}.`)
    return exitCodes.done
  })
}

/** A reader that has read enough, such as head, is no failure. */
async function writeToOutput ({ host: { stdout, interrupted } }: Call, stream: Readable): Promise<number> {
  try {
    await pipeline(stream, stdout, { signal: interrupted, end: false })
  } catch (error) {
    if (codeOf(error) !== 'EPIPE') throw error
  }
  return exitCodes.done
}

export const fileCommands: Command[] = [verify, inspect, importFile, exportFile]
