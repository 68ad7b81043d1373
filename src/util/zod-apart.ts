import { createRequire } from 'node:module';
import { join } from 'node:path';

// Loads a copy of zod for us alone, even if the user has the same version, so that the two share no state.

const { cache } = createRequire(join(import.meta.dirname, 'zod.js'));
const isOfZod = (file: string): boolean => /[\\/]node_modules[\\/]zod[\\/]/.test(file);
const loaded = Object.entries(cache).filter(([file]) => isOfZod(file));

/** The globals through which all copies of zod in a process share state. */
const shared = ['__zod_globalConfig', '__zod_globalRegistry'];
const others = shared.map((key) => Object.getOwnPropertyDescriptor(globalThis, key));

for (const [file] of loaded) delete cache[file];
for (const key of shared) Object.defineProperty(globalThis, key, { value: undefined, configurable: true, writable: true });

/** Restores the user's zod, once ours is loaded. */
export function giveBack(): void {
  for (const file of Object.keys(cache).filter(isOfZod)) delete cache[file];
  for (const [file, module] of loaded) cache[file] = module;
  for (const [index, key] of shared.entries()) {
    const before = others[index];
    if (before === undefined) Reflect.deleteProperty(globalThis, key);
    else Object.defineProperty(globalThis, key, before);
  }
}
