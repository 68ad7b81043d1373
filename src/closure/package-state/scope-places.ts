import { readFileSync } from 'node:fs';
import type { GraphBuilder } from '../capture/graph-builder.ts';
import { classesOf } from '../capture/private-fields.ts';
import { ownName } from '../capture/properties.ts';
import type { ModuleSource } from '../graph/nodes.ts';
import type { ScriptText } from '../heap/script-text.ts';
import type { Comparison } from './compare.ts';
import type { SnapshotScope } from './snapshot.ts';

/** How a replica accesses the variables of a scope. */
export interface ScopePlace {
  readonly source: ModuleSource;
  /**
   * If the scope's function was called several times: a function that the right call created, and the variable that holds it.
   */
  readonly call: { readonly name: string; readonly fn: number } | undefined;
  /** The variables that can't be assigned. */
  readonly constants: ReadonlySet<string>;
}

/**
 * Returns where a bundled module exposes the variables of a scope: at its end, or at the beginning of the block that declares
 * them. Returns undefined if it is unclear which run of that block is meant, or if the text has no such place.
 */
export function placeOf(builder: GraphBuilder, comparison: Comparison, scope: SnapshotScope): ScopePlace | undefined {
  const { file, isOnly, through, others, names } = scope;
  const number =
    through.length === 1 ? ([...through, ...others].find((each) => comparison.valueOf(each) !== undefined) ?? -1) : -1;
  const fn = comparison.valueOf(number);
  if (typeof fn !== 'function') return undefined;
  const { origins, inspector } = builder.sources;
  const { scriptId, location } = inspector.facts(fn);
  if (scriptId === undefined) return undefined;
  const text = origins.text(scriptId);
  const { start: at, constants, functions } = text.scopeAround(location, names) ?? {};
  if (constants === undefined) return undefined;
  const call = isOnly ? undefined : { name: ownName(fn), fn: number };
  if (call !== undefined && functions?.has(call.name) !== true) return undefined;
  const source = { type: 'inside', file, isModule: text.isModule } as const;
  if (at === undefined) return { source, call, constants };
  return isAsWritten(file, text) ? { source: { ...source, at }, call, constants } : undefined;
}

/** Whether offsets in the running script are also offsets in its file. */
const isAsWritten = (file: string, { source }: ScriptText): boolean => readFileSync(file, 'utf8') === source;

/**
 * Returns where an object's class (or the object itself, if it is a class) exposes functions that use one of its private names.
 */
export function placeOfClass(
  builder: GraphBuilder,
  object: object,
  { name, nth }: { readonly name: string; readonly nth: number },
): ModuleSource | undefined {
  const { origins, inspector } = builder.sources;
  const classes = typeof object === 'function' ? [object as Function] : classesOf(object);
  let left = nth;
  for (const owner of classes) {
    const { scriptId, location } = inspector.facts(owner);
    const file = scriptId === undefined || origins.owner(scriptId) !== 'package' ? undefined : origins.file(scriptId);
    if (scriptId === undefined || file === undefined) continue;
    const text = origins.text(scriptId);
    const at = text.classAround(Function.prototype.toString.call(owner), location, name);
    if (at === undefined || left-- > 0) continue;
    return isAsWritten(file, text) ? { type: 'inside', file, isModule: text.isModule, at } : undefined;
  }
  return undefined;
}
