import { dirname } from 'node:path';
import { readProperty } from './capture-properties.ts';
import type { VariablePlace } from './environments.ts';
import type { FunctionNode, ObjectNode, Path, Value } from './graph.ts';
import type { GraphBuilder } from './graph-builder.ts';
import type { FunctionFacts, Scope } from './inspector.ts';
import type { ImportedName } from './module-table.ts';
import type { FreeName } from './syntax.ts';

/** What is known of a function while it is read. */
export interface FunctionAtHand {
  readonly fn: Function;
  readonly facts: FunctionFacts;
  readonly scriptId: string;
}

/** Captures the variables that a function uses, and `this` where an arrow takes it from around it. */
export function captureVariables(builder: GraphBuilder, node: FunctionNode, at: FunctionAtHand): void {
  for (const [name, free] of node.syntax.freeNames) captureName(builder, node, { ...at, name, free });
  if (node.syntax.outerThis.length > 0) captureThis(builder, node, at);
  if (node.syntax.usesOuterSuper) {
    builder.refuse(node.path, {
      what: 'a function that uses `super` outside its class',
      fix: 'capture the object and call its method',
    });
  }
}

interface NameAtHand extends FunctionAtHand {
  readonly name: string;
  readonly free: FreeName;
}

function captureName(builder: GraphBuilder, node: FunctionNode, at: NameAtHand): void {
  const { name, free, facts } = at;
  const { moduleCalls } = node.syntax;
  // A `require` that is only called with literals is replaced call by call.
  if (
    name === 'require' &&
    free.uses.every((use) => moduleCalls.some((call) => call.kind === 'require' && call.start === use.start))
  ) {
    if (node.syntax.moduleCalls.every(({ specifier }) => builder.sources.builtins.named(specifier) === undefined)) return;
  }
  const scope = facts.scopes.find(({ type, variables }) => type !== 'global' && Object.hasOwn(variables, name));
  if (scope === undefined) captureGlobal(builder, node, at);
  else if (!captureImport(builder, node, { ...at, scope })) captureScoped(builder, node, { ...at, scope });
}

const pathOf = (node: FunctionNode, name: string): Path => ({ parent: node.path, label: `captured "${name}"` });

function captureGlobal(builder: GraphBuilder, node: FunctionNode, at: NameAtHand): void {
  const meaning = builder.sources.intrinsics.meaning(at.name);
  if (meaning.kind !== 'user') return;
  const value = builder.value(meaning.value, pathOf(node, at.name));
  addUse(builder, node, { ...at, raw: meaning.value, value, place: { type: 'unique', key: `global ${at.name}` } });
}

/** An import of a package or builtin becomes an import again; false for names of the user's own modules. */
function captureImport(builder: GraphBuilder, node: FunctionNode, at: NameAtHand & { scope: Scope }): boolean {
  if (at.scope.type !== 'module') return false;
  const { origins, builtins } = builder.sources;
  const imported = origins.importOf(at.scriptId, at.name);
  if (imported === undefined) return false;
  const file = origins.file(at.scriptId) ?? '';
  const builtin = builtins.named(imported.specifier);
  if (builtin === undefined && !origins.isPackage(imported.specifier, file)) return false;
  const path = pathOf(node, at.name);
  const raw = readVariable(at.scope, at.name);
  // What an import of a CommonJS package gives is decided by Node; bundlers differ from it in the default export.
  const exported = origins.packageExports(raw) === undefined ? undefined : builder.value(raw, path);
  const value =
    exported !== undefined
      ? exported
      : builtin === undefined
        ? builder.module({ type: 'import', specifier: imported.specifier, from: dirname(file) }, memberOf(imported), path)
        : builder.module({ type: 'builtin', name: builtin }, imported.imported === 'default' ? [] : memberOf(imported), path);
  addUse(builder, node, { ...at, raw: value, value, place: { type: 'constant' } });
  return true;
}

const memberOf = ({ imported }: ImportedName): readonly string[] => (imported === '*' ? [] : [imported]);

function captureScoped(builder: GraphBuilder, node: FunctionNode, at: NameAtHand & { scope: Scope }): void {
  const { name, free, scope } = at;
  const raw = readVariable(scope, name);
  const path = pathOf(node, name);
  const isView = free.members !== undefined && isModuleView(builder, raw);
  const value = isView
    ? viewOf(builder, raw as object, { members: free.members as Set<string>, path })
    : builder.value(raw, path);
  addUse(builder, node, { ...at, raw, value, place: placeOf(builder, at) });
}

/** A variable that was never initialised is an accessor that throws, from Node 22 on. */
function readVariable({ variables }: Scope, name: string): unknown {
  try {
    return Reflect.get(variables, name);
  } catch {
    return undefined;
  }
}

/** Whether the variable exists once for its module, or may exist once for each call of a function around it. */
function placeOf(builder: GraphBuilder, { name, scope, scriptId }: NameAtHand & { scope: Scope }): VariablePlace {
  const { origins } = builder.sources;
  if (scope.type === 'script') return { type: 'unique', key: `script ${name}` };
  if (scope.type === 'module') {
    const imported = origins.importOf(scriptId, name);
    const origin = imported === undefined ? undefined : origins.variableBehind(scriptId, imported);
    return { type: 'unique', key: origin === undefined ? `${scriptId} ${name}` : `${origin.scriptId} ${origin.name}` };
  }
  return { type: 'scope', scriptId, scope };
}

interface Use extends FunctionAtHand {
  readonly name: string;
  readonly free?: FreeName;
  readonly raw: unknown;
  readonly value: Value;
  readonly place: VariablePlace;
}

function addUse(builder: GraphBuilder, node: FunctionNode, { name, free, raw, value, place, fn }: Use): void {
  const capture = { value, binding: undefined };
  node.captures.set(name, capture);
  builder.environments.add({ capture, name, written: free?.written === true, raw, node, fn, place });
}

function captureThis(builder: GraphBuilder, node: FunctionNode, at: FunctionAtHand): void {
  const path = { parent: node.path, label: 'this' };
  const found = builder.sources.inspector.evaluateInside(at.fn, 'this');
  if (found === undefined) {
    builder.refuse(path, { what: 'a `this` that can not be read', fix: 'keep it in a variable and use that' });
    return;
  }
  const value = builder.value(found.value, path);
  addUse(builder, node, { ...at, name: 'this', raw: found.value, value, place: { type: 'constant' } });
}

/**
 * Whether an object stands for a module of the user's own, as compilers to CommonJS write it: `import_state.counter`.
 * Of such an object only the members that are used travel.
 */
function isModuleView(builder: GraphBuilder, value: unknown): boolean {
  if (typeof value !== 'object' || value === null || builder.known(value)?.kind === 'module') return false;
  const { origins, builtins } = builder.sources;
  if (builtins.find(value) !== undefined || origins.packageExports(value) !== undefined) return false;
  const { value: original } = Object.getOwnPropertyDescriptor(value, 'default') ?? {};
  return (
    origins.exportsOf(value) !== undefined || origins.exportsOf(original) !== undefined || builtins.find(original) !== undefined
  );
}

/** The node of a module object with (at least) these members; accessors travel as such, so that they stay live. */
function viewOf(
  builder: GraphBuilder,
  value: object,
  { members, path }: { members: ReadonlySet<string>; path: Path },
): ObjectNode {
  const known = builder.viewed.get(value);
  const node: ObjectNode = known ?? { ...builder.shell(path), kind: 'object' };
  builder.viewed.set(value, node);
  node.references++;
  const have = new Set(node.properties.map(({ key }) => key));
  for (const key of members) {
    const descriptor = Object.getOwnPropertyDescriptor(value, key);
    if (have.has(key) || descriptor === undefined) continue;
    node.properties.push(readProperty(builder, key, { descriptor, owner: path }));
  }
  return node;
}
