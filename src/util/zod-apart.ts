import { createRequire } from 'node:module';
import { join } from 'node:path';

// Our schemas are none of the user's: our zod is a copy of its own, also if they use the same version, and shares nothing.

const { cache } = createRequire(join(import.meta.dirname, 'zod.js'));
const isOfZod = (file: string): boolean => /[\\/]node_modules[\\/]zod[\\/]/.test(file);
const loaded = Object.entries(cache).filter(([file]) => isOfZod(file));

/** Where all copies of zod in a process keep what they share. */
const shared = ['__zod_globalConfig', '__zod_globalRegistry'];
const others = shared.map((key) => Object.getOwnPropertyDescriptor(globalThis, key));

for (const [file] of loaded) delete cache[file];
for (const key of shared) Object.defineProperty(globalThis, key, { value: undefined, configurable: true, writable: true });

/** Undoes this, once ours is loaded. */
export function giveBack(): void {
  for (const file of Object.keys(cache).filter(isOfZod)) delete cache[file];
  for (const [file, module] of loaded) cache[file] = module;
  for (const [index, key] of shared.entries()) {
    const before = others[index];
    if (before === undefined) Reflect.deleteProperty(globalThis, key);
    else Object.defineProperty(globalThis, key, before);
  }
}
