/** The value of a key; inserts a new one if there is none. */
export function getOrInsert<K, T>(map: { get(key: K): T | undefined; set(key: K, value: T): unknown }, key: K, make: () => T): T {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
