/** Headers and what they mean, by name. */
export type Headers = Record<string, string>

const prefer: Headers = {
  prefer: '`respond-async`: respond with 202 as soon as the run has begun'
}
const ifNoneMatch: Headers = { 'if-none-match': 'An ETag; the response is 304 if the file has not changed' }

/** The request headers that an operation reads, by its operationId. */
export const requestHeaders: Record<string, Headers> = {
  createBackup: prefer,
  restoreBackup: prefer,
  showManifest: ifNoneMatch,
  downloadSnapshot: {
    ...ifNoneMatch,
    range: 'One range of bytes, such as `bytes=0-1023`',
    'if-range': 'An ETag; Range applies only if the file has not changed'
  }
}

const location: Headers = { Location: 'The path of the backup' }
const begun: Headers = { ...location, 'Preference-Applied': '`respond-async`' }
const etag: Headers = { ETag: 'The checksum of the snapshot, for If-None-Match and If-Range' }
const file: Headers = {
  ...etag,
  'Accept-Ranges': '`bytes`',
  'Content-Disposition': '`attachment`, with the name of the file',
  'Content-Length': 'The number of bytes that follow'
}

/** The headers of responses, by operationId and status. */
export const responseHeaders: Record<string, Record<string, Headers>> = {
  createBackup: { 201: location, 202: begun },
  restoreBackup: { 202: begun },
  importBackup: { 201: location },
  showManifest: { 200: etag, 304: etag },
  downloadSnapshot: {
    200: file,
    206: { ...file, 'Content-Range': 'The range, and the size of the file: `bytes 0-1023/4096`' },
    304: etag,
    416: { 'Content-Range': 'The size of the file: `bytes */4096`' }
  }
}
