import type { Builtins } from './builtins.ts';
import type { HeapInspector } from './inspector.ts';
import type { Intrinsics } from './intrinsics.ts';
import type { LoadedModules } from './loaded-modules.ts';
import type { Origins } from './origins.ts';

/** The indexes of the process in which values are looked up. */
export interface Sources {
  readonly inspector: HeapInspector;
  readonly intrinsics: Intrinsics;
  readonly builtins: Builtins;
  readonly origins: Origins;
  readonly loaded: LoadedModules;
}
