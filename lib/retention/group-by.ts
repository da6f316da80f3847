/** Groups items by key. Each group has the order of the items. */
export function groupBy<T> (items: T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) groups.set(keyOf(item), [])
  for (const item of items) groups.get(keyOf(item))?.push(item)
  return groups
}
