import { dirname } from 'node:path';
import { types } from 'node:util';
import { capturePatches } from './capture-patches.ts';
import { memberKeys, usedMembers, viewedMembers, viewOf } from './capture-views.ts';
import { captureWeak, keepsWeakly } from './capture-weak.ts';
import { enterable, moduleVariable, type VariablePlace } from './environments.ts';
import { type FunctionNode, isNode, type ModuleSource, type Path, type Value } from './graph.ts';
import type { GraphBuilder } from './graph-builder.ts';
import type { FunctionFacts, Scope } from './inspector.ts';
import type { ImportedName } from './module-table.ts';
import { refusalsOfText } from './refusals.ts';
import type { FreeName, FunctionSyntax } from './syntax.ts';

/** What is known of a function while it is read. */
export interface FunctionAtHand {
  readonly fn: Function;
  readonly facts: FunctionFacts;
  readonly scriptId: string;
  /** Names of variables whose declaration was not reached yet. */
  readonly uninitialized?: ReadonlySet<string>;
}

const scopeOf = ({ scopes }: FunctionFacts, name: string): Scope | undefined =>
  scopes.find(({ type, variables }) => type !== 'global' && Object.hasOwn(variables, name));

/** V8 shows such a variable as undefined, or as an accessor that throws; whoever is inside can tell. */
function findUninitialized(builder: GraphBuilder, { syntax }: FunctionNode, { fn, facts }: FunctionAtHand): ReadonlySet<string> {
  const candidates = [...syntax.freeNames.keys()].filter((name) => {
    const { value } = Object.getOwnPropertyDescriptor(scopeOf(facts, name)?.variables ?? { [name]: 0 }, name) ?? {};
    return value === undefined && /^[\p{L}_$][\p{L}\d_$]*$/u.test(name) && name !== 'arguments';
  });
  if (candidates.length === 0) return new Set();
  const tests = candidates.map((name) => `(() => { try { ${name}; return []; } catch { return ["${name}"]; } })()`);
  for (const each of enterable(fn)) {
    const found = builder.sources.inspector.evaluateInside(each, `[].concat(${tests.join(', ')})`);
    if (Array.isArray(found?.value)) return new Set(found.value as string[]);
  }
  return new Set();
}

/** Captures the variables that a function uses, and `this` where an arrow takes it from around it. */
export function captureVariables(builder: GraphBuilder, node: FunctionNode, given: FunctionAtHand): void {
  const at = { ...given, uninitialized: findUninitialized(builder, node, given) };
  for (const [name, free] of node.syntax.freeNames) {
    // What `eval` evaluates may assign it.
    captureName(builder, node, { ...at, name, free: { ...free, written: free.written || node.syntax.usesEval } });
  }
  if (node.syntax.usesEval) captureAllNames(builder, node, at);
  if (node.syntax.outerThis.length > 0 || needsThis(node.syntax)) captureThis(builder, node, at);
  const isKnown = (name: string): boolean =>
    node.captures.has(name) || builder.sources.intrinsics.meaning(name).kind === 'environment';
  if (node.syntax.usesOuterNewTarget) builder.refuse(node.path, refusalsOfText.newTarget);
  for (const name of node.syntax.class?.keyNames ?? []) {
    if (!isKnown(name)) builder.refuse(node.path, refusalsOfText.fieldKey(name));
  }
}

/** `super` in an arrow needs the object that it is looked up for. */
const needsThis = ({ kind, usesOuterSuper }: FunctionSyntax): boolean => kind === 'arrow' && usesOuterSuper;

/**
 * What `eval` evaluates may use every variable that can be seen: those of the functions around are captured, and those
 * of the module that the text names anywhere, also in strings.
 */
function captureAllNames(builder: GraphBuilder, node: FunctionNode, at: FunctionAtHand): void {
  const words = new Set(node.syntax.text.match(/[\p{L}_$][\p{L}\d_$]*/gu));
  const outermost = topScope(at.facts);
  for (const scope of at.facts.scopes) {
    if (scope.type === 'global') continue;
    const isInner = scope !== outermost && scope.type !== 'script';
    for (const name of Object.getOwnPropertyNames(scope.variables)) {
      if (node.captures.has(name) || !(isInner || words.has(name))) continue;
      captureName(builder, node, { ...at, name, free: { uses: [], written: true } });
    }
  }
}

interface NameAtHand extends FunctionAtHand {
  readonly name: string;
  readonly free: FreeName;
}

function captureName(builder: GraphBuilder, node: FunctionNode, at: NameAtHand): void {
  const { name, facts } = at;
  if (name === 'require' && isReplaced(builder, node, at.free)) return;
  const scope = scopeOf(facts, name);
  if (scope === undefined) captureGlobal(builder, node, at);
  else if (!captureImport(builder, node, { ...at, scope })) captureScoped(builder, node, { ...at, scope });
}

/** Whether every `require` of a text is a call that the bundle answers, so that the function itself isn't needed. */
const isReplaced = (builder: GraphBuilder, { syntax }: FunctionNode, { uses }: FreeName): boolean =>
  uses.every(({ start }) => {
    const call = syntax.moduleCalls.find((each) => each.kind === 'require' && each.start === start);
    return call !== undefined && builder.sources.builtins.named(call.specifier) === undefined;
  });

const pathOf = (node: FunctionNode, name: string): Path => ({ parent: node.path, label: `captured "${name}"` });

function captureGlobal(builder: GraphBuilder, node: FunctionNode, at: NameAtHand): void {
  if (at.name === 'globalThis' || at.name === 'global') return captureGlobalMembers(builder, node, at);
  const meaning = builder.sources.intrinsics.meaning(at.name);
  if (meaning.kind !== 'user') return;
  const value = builder.value(meaning.value, pathOf(node, at.name));
  addUse(builder, node, { ...at, raw: meaning.value, value, place: { type: 'unique', key: `global ${at.name}` } });
}

/** `globalThis.settings`, where the user put it there, is the same variable as `settings`. */
function captureGlobalMembers(builder: GraphBuilder, node: FunctionNode, at: NameAtHand): void {
  const keys = new Set(at.free.uses.flatMap(({ member }) => (member === undefined ? [] : [member.key])));
  for (const key of keys) {
    const meaning = builder.sources.intrinsics.meaning(key);
    if (meaning.kind !== 'user') continue;
    const name = `${at.name}.${key}`;
    const value = builder.value(meaning.value, pathOf(node, name));
    const free = { ...at.free, written: true };
    addUse(builder, node, { ...at, free, name, raw: meaning.value, value, place: { type: 'unique', key: `global ${key}` } });
  }
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
  if (origins.isInterop(raw) && captureInterop(builder, node, { ...at, raw: raw as object, from: dirname(file) })) return true;
  const isKnown = origins.packageExports(raw) !== undefined || origins.isInterop(raw);
  const exported = isKnown ? builder.value(raw, path) : undefined;
  const source: ModuleSource =
    builtin === undefined
      ? { type: 'import', specifier: imported.specifier, from: dirname(file) }
      : { type: 'builtin', name: builtin };
  const value = exported ?? builder.module(source, memberOf(imported, source), path);
  if (typeof raw === 'function' && builtin === undefined && isNode(value) && value.kind === 'module') {
    builder.later(() => capturePatches(builder, value, raw));
  }
  addUse(builder, node, { ...at, raw: value, value, place: { type: 'constant' } });
  return true;
}

/** Of the namespace of a CommonJS package its members, where nothing else of it is used; the default export as Node gives it. */
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

/** Of a namespace it is known here which module's it is. */
function noteNamespace(
  { sources: { origins }, namespaceScripts }: GraphBuilder,
  raw: unknown,
  { scriptId, name }: NameAtHand,
): void {
  const imported = types.isModuleNamespaceObject(raw) ? origins.importOf(scriptId, name) : undefined;
  const script = imported?.imported === '*' ? origins.moduleScript(scriptId, imported.specifier) : undefined;
  if (script !== undefined) namespaceScripts.set(raw as object, script);
}

/** The scope with the top-level variables of a function's module. */
export const topScope = ({ scopes }: FunctionFacts): Scope | undefined =>
  scopes.findLast(({ type }) => type === 'closure' || type === 'module');

/** Whether a package's variable can be that of the package in the bundle: what it holds is what its code made it hold. */
const isShareable = (value: unknown, { written }: FreeName): boolean =>
  !written && (typeof value === 'function' || typeof value === 'symbol' || (typeof value === 'object' && value !== null));

function captureScoped(builder: GraphBuilder, node: FunctionNode, at: NameAtHand & { scope: Scope }): void {
  const { origins } = builder.sources;
  const { name, free, scope } = at;
  const raw = readVariable(scope, name);
  const path = pathOf(node, name);
  noteNamespace(builder, raw, at);
  const inside = scope === topScope(at.facts) && isShareable(raw, free) ? origins.inside(at.scriptId, name) : undefined;
  if (inside !== undefined) {
    const known = builder.reference(raw, path) ?? builder.exported(inside, path);
    const value = builder.register(raw, known);
    value.references++;
    return addUse(builder, node, { ...at, raw: value, value, place: { type: 'constant' } });
  }
  if (captureNamespaceMembers(builder, node, { ...at, raw })) return;
  const keeper = { text: node.syntax.text, isPackage: origins.owner(at.scriptId) === 'package' };
  if (keepsWeakly(raw, keeper)) {
    const value = captureWeak(builder, raw, path);
    if (isNode(value)) value.references++;
    return addUse(builder, node, { ...at, raw, value, place: placeOf(builder, at) });
  }
  const members = viewedMembers(builder, raw, free) ?? (node.syntax.usesEval ? undefined : usedMembers(builder, raw, free));
  const value = members === undefined ? builder.value(raw, path) : viewOf(builder, raw as object, { members, path });
  addUse(builder, node, { ...at, raw, value, place: placeOf(builder, at) });
}

/**
 * Of the namespace of the user's own ES module, each member is captured as the variable that it is, so that it stays
 * live. False where the namespace is used in another way than `state.count`.
 */
function captureNamespaceMembers(
  builder: GraphBuilder,
  node: FunctionNode,
  at: NameAtHand & { scope: Scope; raw: unknown },
): boolean {
  const { origins } = builder.sources;
  const imported = at.scope.type === 'module' ? origins.importOf(at.scriptId, at.name) : undefined;
  const keys = memberKeys(at.free);
  if (imported?.imported !== '*' || keys === undefined || !types.isModuleNamespaceObject(at.raw)) return false;
  const origin = (key: string) => origins.variableBehind(at.scriptId, { specifier: imported.specifier, imported: key });
  const places = [...keys].map((key) => ({ key, place: origin(key) }));
  if (places.some(({ place }) => place === undefined)) return false;
  for (const { key, place } of places) {
    const raw = readVariable({ ...at.scope, variables: at.raw as object }, key);
    const name = `${at.name}.${key}`;
    const value = builder.value(raw, pathOf(node, name));
    if (place !== undefined) addUse(builder, node, { ...at, name, raw, value, place: moduleVariable(place) });
  }
  return true;
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
    return moduleVariable(origin ?? { scriptId, name });
  }
  return { type: 'scope', scope };
}

interface Use extends FunctionAtHand {
  readonly name: string;
  readonly free?: FreeName;
  readonly raw: unknown;
  readonly value: Value;
  readonly place: VariablePlace;
}

function addUse(builder: GraphBuilder, node: FunctionNode, { name, free, raw, value, place, fn, uninitialized }: Use): void {
  const capture = { value, binding: undefined };
  node.captures.set(name, capture);
  const use = { capture, name, written: free?.written === true, raw, node, fn, place };
  builder.environments.add({ ...use, uninitialized: uninitialized?.has(name) === true });
}

function captureThis(builder: GraphBuilder, node: FunctionNode, at: FunctionAtHand): void {
  const path = { parent: node.path, label: 'this' };
  const found = builder.sources.inspector.evaluateInside(at.fn, 'this');
  if (found === undefined) {
    builder.refuse(path, { what: 'a `this` that can not be read', fix: 'keep it in a variable and use that' });
    return;
  }
  builder.outerThis.set(at.fn, found.value);
  const value = builder.value(found.value, path);
  addUse(builder, node, { ...at, name: 'this', raw: found.value, value, place: { type: 'constant' } });
}
