/** The value of a key, made where there is none yet. */
export function getOrInsert<K, T>(map: { get(key: K): T | undefined; set(key: K, value: T): unknown }, key: K, make: () => T): T {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
