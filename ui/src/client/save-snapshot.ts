import type { Backup } from '../../../types/index.ts'
import type { Api } from './api.ts'

/** What is saved of a snapshot: its file, or its JSON. */
export interface SavedFile {
  id: string
  filename: string
  sizeBytes: number | null
  as: 'json' | undefined
}

export const storedFile = ({ id, filename, storedBytes }: Backup): SavedFile =>
  ({ id, filename, sizeBytes: storedBytes, as: undefined })

export const jsonOf = ({ id, filename, sizeBytes }: Backup): SavedFile =>
  ({ id, filename: filename.replace(/\.(?:gz|zst)$/, ''), sizeBytes, as: 'json' })

/**
 * Downloads the file with the credentials of the page, which a link cannot send. Where the browser can, the bytes go to
 * the disk as they arrive; elsewhere the browser keeps them until the file is complete.
 */
export async function saveSnapshot (
  api: Api, { id, filename, sizeBytes, as }: SavedFile, onProgress: (received: number) => void, signal: AbortSignal
): Promise<void> {
  const picker: unknown = Reflect.get(window, 'showSaveFilePicker')
  const target = typeof picker === 'function' && isSecureContext && (sizeBytes ?? 0) > 50_000_000
    ? await pick(picker, filename)
    : undefined
  if (target === null) return
  const response = await api.download(id, as, signal)
  let done = 0
  const counted = response.body?.pipeThrough(new TransformStream<Uint8Array, Uint8Array>({
    transform (chunk, controller) {
      done += chunk.length
      onProgress(done)
      controller.enqueue(chunk)
    }
  }))
  if (counted === undefined) return
  if (target !== undefined) {
    await counted.pipeTo(await target.createWritable())
    requireAll(done, sizeBytes)
    return
  }
  const file = await new Response(counted).blob()
  requireAll(done, sizeBytes)
  const address = URL.createObjectURL(file)
  const link = document.createElement('a')
  link.href = address
  link.download = filename
  link.click()
  setTimeout(() => { URL.revokeObjectURL(address) }, 60_000)
}

/** What a proxy answers in place of the service is no snapshot. */
function requireAll (received: number, sizeBytes: number | null): void {
  if (received !== sizeBytes) throw new Error('The download is not complete. Download the snapshot again.')
}

interface SaveTarget { createWritable: () => Promise<WritableStream> }

/** Null when the reader cancels. */
async function pick (picker: Function, suggestedName: string): Promise<SaveTarget | null> {
  try {
    return await Reflect.apply(picker, window, [{ suggestedName }])
  } catch {
    return null
  }
}
