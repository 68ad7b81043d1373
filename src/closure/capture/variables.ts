import { types } from 'node:util';
import { type FunctionNode, isNode } from '../graph/nodes.ts';
import { isUnreadable, peekVariable, readVariable, type Scope } from '../heap/scopes.ts';
import type { FreeName, FunctionSyntax } from '../syntax/syntax.ts';
import { disguisedImport } from '../syntax/walk.ts';
import { enterable, moduleVariable, type VariablePlace } from './environments.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { captureImport } from './imports.ts';
import { memberKeys, usedMembers, viewedMembers, viewOf } from './module-views.ts';
import { addUse, type FunctionAtHand, heldRequire, type NameAtHand, pathOf, scopeOf, topScope } from './name-uses.ts';
import { refusalsOfText } from './refusals.ts';
import { captureWeak, keepsWeakly } from './weak-collections.ts';

/** Whether V8 throws for an uninitialized variable. Before Node 22, it shows such a variable as undefined. */
const throwsForUninitialized = Number(process.versions.node.split('.')[0]) >= 22;

/** Returns the free names of a function whose variables are still in their temporal dead zone. */
function findUninitialized(builder: GraphBuilder, { syntax }: FunctionNode, { fn, facts }: FunctionAtHand): ReadonlySet<string> {
  const names = [...syntax.freeNames.keys()];
  if (throwsForUninitialized) return new Set(names.filter((name) => isUnreadable(scopeOf(facts, name), name)));
  const candidates = names.filter((name) => {
    const scope = scopeOf(facts, name);
    if (scope === undefined || peekVariable(scope, name) !== undefined) return false;
    return /^[\p{L}_$][\p{L}\d_$]*$/u.test(name) && name !== 'arguments';
  });
  if (candidates.length === 0) return new Set();
  const tests = candidates.map((name) => `(() => { try { ${name}; return []; } catch { return ["${name}"]; } })()`);
  for (const each of enterable(fn)) {
    const found = builder.sources.inspector.evaluateInside(each, `[].concat(${tests.join(', ')})`);
    if (Array.isArray(found?.value)) return new Set(found.value as string[]);
  }
  return new Set();
}

/** Captures the variables that a function uses, and `this` if an arrow function uses it. */
export function captureVariables(builder: GraphBuilder, node: FunctionNode, given: FunctionAtHand): void {
  const at = { ...given, uninitialized: findUninitialized(builder, node, given) };
  for (const [name, free] of node.syntax.freeNames) {
    // Code in `eval` may assign the variable.
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

/** `super` in an arrow function needs `this` to find its home object. */
const needsThis = ({ kind, usesOuterSuper }: FunctionSyntax): boolean => kind === 'arrow' && usesOuterSuper;

/**
 * Code in `eval` may use every visible variable. Captures all variables of the enclosing functions, and those of the module
 * whose names occur anywhere in the text, even in strings.
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

function captureName(builder: GraphBuilder, node: FunctionNode, at: NameAtHand): void {
  const { name, facts } = at;
  const loads = name === 'require' || name === disguisedImport || heldRequire(facts, name) !== undefined;
  if (loads && isReplaced(builder, node, at.free)) return;
  const scope = scopeOf(facts, name);
  if (scope === undefined) captureGlobal(builder, node, at);
  else if (!captureImport(builder, node, { ...at, scope })) captureScoped(builder, node, { ...at, scope });
}

/**
 * Whether every use of `require` (or of a bundler's replacement for `import`) is a call whose result the bundle provides, so
 * that the function itself isn't needed.
 */
const isReplaced = (builder: GraphBuilder, { syntax }: FunctionNode, { uses }: FreeName): boolean =>
  uses.every(({ start }) => {
    const call = syntax.moduleCalls.find((each) => (each.kind === 'require' || each.isDisguised) && each.start === start);
    return call !== undefined && (call.isDisguised || builder.sources.builtins.named(call.specifier) === undefined);
  });

function captureGlobal(builder: GraphBuilder, node: FunctionNode, at: NameAtHand): void {
  if (at.name === 'globalThis' || at.name === 'global') return captureGlobalMembers(builder, node, at);
  const meaning = builder.sources.intrinsics.meaning(at.name);
  if (meaning.kind !== 'user') return;
  const value = builder.value(meaning.value, pathOf(node, at.name));
  addUse(builder, node, { ...at, raw: meaning.value, value, place: { type: 'unique', key: `global ${at.name}` } });
}

/** `globalThis.settings`, if the user set it, is the same variable as `settings`. */
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

/** Notes the module that a namespace belongs to, which only the import tells. */
function noteNamespace(
  { sources: { origins }, namespaceScripts }: GraphBuilder,
  raw: unknown,
  { scriptId, name }: NameAtHand,
): void {
  const imported = types.isModuleNamespaceObject(raw) ? origins.importOf(scriptId, name) : undefined;
  const script = imported?.imported === '*' ? origins.moduleScript(scriptId, imported.specifier) : undefined;
  if (script !== undefined) namespaceScripts.set(raw as object, script);
}

/**
 * Whether a package's variable can be a reference into the bundled package: nothing captured assigns it, and its value has an
 * identity.
 */
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
 * Captures each used member of the namespace of the user's own ES module as the variable behind it, so that it stays live.
 * Returns false if the namespace is used other than as in `state.count`.
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

/** Returns whether the variable exists once for its module, or once per call of an enclosing function. */
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
