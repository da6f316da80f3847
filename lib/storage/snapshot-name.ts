/** The longest name that common file systems support (POSIX NAME_MAX on ext4, XFS, APFS, NTFS). */
const longestName = 255

/**
 * Whether `name` is a bare file name such as `{schema}_{timestamp}.json`, without separator, drive, stream or leading
 * dot, of at most 255 bytes. Joined to a directory, it is a file of that directory. The names of spool and temporary
 * files begin with a dot.
 */
export function isSnapshotName (name: string): boolean {
  return name.length <= longestName && /^[A-Za-z0-9%_-][A-Za-z0-9%_.-]*\.json$/.test(name)
}
