/** The longest name that common file systems support (POSIX NAME_MAX on ext4, XFS, APFS, NTFS). */
const longestName = 255

const pattern = /^[A-Za-z0-9%_-][A-Za-z0-9%_.-]*\.json(?:\.gz|\.zst)?$/

/**
 * Whether `name` is a bare file name such as `{schema}_{timestamp}.json`, without separator, drive, stream or leading
 * dot, of at most 255 bytes, for a file that may be compressed. Joined to a directory, it is a file of that directory.
 * The names of spool and temporary files begin with a dot. `x.json.gz.json` is no name, since its sidecar would be that
 * of `x.json.gz`.
 */
export function isSnapshotName (name: string): boolean {
  return name.length <= longestName && pattern.test(name) && !/\.json(?:\.gz|\.zst)\.json$/.test(name)
}
