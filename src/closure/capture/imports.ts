import { dirname } from 'node:path';
import { type FunctionNode, isNode, type ModuleSource } from '../graph/nodes.ts';
import { readVariable, type Scope } from '../heap/scopes.ts';
import type { ImportedName } from '../syntax/module-table.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { memberKeys } from './module-views.ts';
import { addUse, type NameAtHand, pathOf } from './name-uses.ts';
import { capturePatches } from './patches.ts';

/** Captures an import of a package or builtin as an import. Returns false for names from the user's own modules. */
export function captureImport(builder: GraphBuilder, node: FunctionNode, at: NameAtHand & { scope: Scope }): boolean {
  if (at.scope.type !== 'module') return false;
  const { origins, builtins } = builder.sources;
  const imported = origins.importOf(at.scriptId, at.name);
  if (imported === undefined) return false;
  const file = origins.file(at.scriptId) ?? '';
  const builtin = builtins.named(imported.specifier);
  if (builtin === undefined && !origins.isPackage(imported.specifier, file)) return false;
  const path = pathOf(node, at.name);
  const raw = readVariable(at.scope, at.name);
  // Node decides the value of an import of a CommonJS package; bundlers differ on its default export.
  if (origins.isInterop(raw) && captureInterop(builder, node, { ...at, raw: raw as object, from: dirname(file) })) return true;
  const isKnown = origins.packageExports(raw) !== undefined || origins.isInterop(raw);
  const exported = isKnown ? builder.value(raw, path) : undefined;
  const source: ModuleSource =
    builtin === undefined
      ? { type: 'import', specifier: imported.specifier, from: dirname(file) }
      : { type: 'builtin', name: builtin };
  // The replica evaluates imports before it reapplies changes inside packages.
  const now = builtin === undefined ? builder.state?.now(raw, path) : undefined;
  const value = now === undefined ? (exported ?? builder.module(source, memberOf(imported, source), path)) : now.value;
  if (typeof raw === 'function' && builtin === undefined && isNode(value) && value.kind === 'module') {
    builder.later(() => capturePatches(builder, value, raw));
  }
  addUse(builder, node, { ...at, raw: value, value, place: { type: 'constant' } });
  return true;
}

/**
 * Captures the members of a CommonJS package's namespace if nothing else of it is used. The default export is the one that Node
 * defines.
 */
function captureInterop(
  builder: GraphBuilder,
  node: FunctionNode,
  at: NameAtHand & { readonly raw: object; readonly from: string },
): boolean {
  const keys = memberKeys(at.free);
  const specifier = builder.sources.origins.importOf(at.scriptId, at.name)?.specifier;
  if (keys === undefined || specifier === undefined) return false;
  for (const key of keys) {
    const name = `${at.name}.${key}`;
    const path = pathOf(node, name);
    const value =
      key === 'default'
        ? builder.value(Reflect.get(at.raw, key), path)
        : builder.module({ type: 'import', specifier, from: at.from }, [key], path);
    addUse(builder, node, { ...at, name, raw: value, value, place: { type: 'constant' } });
  }
  return true;
}

/** The default export of a builtin is the module itself. */
const memberOf = ({ imported }: ImportedName, { type }: ModuleSource): readonly string[] =>
  imported === '*' || (type === 'builtin' && imported === 'default') ? [] : [imported];
