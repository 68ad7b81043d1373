import { isNode, type Node, type Value } from './nodes.ts';

/** How a node refers to a value. */
export type Role =
  | 'variable'
  | 'property'
  | 'getter'
  | 'element'
  | 'entry'
  | 'private field'
  | 'prototype'
  | 'superclass'
  | 'class'
  | 'module'
  | 'key'
  | 'part';

/** Called for each value that a node refers to. `key` identifies the value within its role. */
export type VisitEdge = (value: Value, role: Role, key: string | number) => void;

/** Visits a node's references. There may be millions, so it allocates nothing per reference. */
export function forEachEdge(node: Node, visit: VisitEdge): void {
  if (node.kind === 'array') {
    const values = node.values ?? [];
    for (let index = 0; index < values.length; index++) visit(values[index], 'element', index);
  } else if (node.kind === 'object') {
    const values = node.values ?? [];
    for (let index = 0; index < values.length; index++) visit(values[index], 'property', node.keys[index] ?? '');
  } else visitSpecial(node, visit);
  if (node.prototype !== undefined) visit(node.prototype, 'prototype', 'prototype');
  for (const { owner, fields } of node.privates ?? []) {
    if (owner !== node) visit(owner, 'class', `class ${owner.name}`);
    for (const [name, value] of fields) visit(value, 'private field', name);
  }
  const role = node.kind === 'array' ? 'element' : 'property';
  for (const { key, value, get, set, accessor } of node.properties) {
    const name = isNode(key) ? symbolName(key) : key;
    if (isNode(key)) visit(key, 'key', name);
    if (!accessor) visit(value, role, name);
    if (get !== undefined) visit(get, 'getter', name);
    if (set !== undefined) visit(set, 'getter', name);
  }
}

function visitSpecial(node: Node, visit: VisitEdge): void {
  if (node.kind === 'function') {
    for (const [name, { value }] of node.captures) visit(value, 'variable', name);
    if (node.heritage !== undefined) visit(node.heritage, 'superclass', 'extends');
    if (node.superPrototype !== undefined) visit(node.superPrototype, 'superclass', 'super');
    if (node.host !== undefined) visit(node.host, 'class', `class ${node.host.name}`);
    node.moduleCalls.forEach((value, index) => {
      const { kind, specifier } = node.syntax.moduleCalls[index] ?? { kind: 'import', specifier: '' };
      if (value !== undefined) visit(value, 'module', `${kind}(${JSON.stringify(specifier)})`);
    });
    if (node.prototypeMember !== undefined) visit(node.prototypeMember, 'part', 'prototype');
    for (const key of node.computedKeys.values()) if (isNode(key)) visit(key, 'key', 'computed key');
  } else if (node.kind === 'module') for (const [, ...values] of node.kept ?? []) visitList(values, visit, 'private state');
  else if (node.kind === 'map') for (const entry of node.entries) visitEntry(entry, visit);
  else if (node.kind === 'set') visitList(node.entries, visit, 'Set entry');
  else if (node.kind === 'bound') {
    visit(node.target, 'part', 'bound function');
    visit(node.boundThis, 'part', 'bound this');
    visitList(node.boundArguments, visit, 'bound argument');
  } else if (node.kind === 'call') {
    visit(node.target, 'part', 'rebuilt by');
    visitList(node.values, visit, 'argument');
  } else if (node.kind === 'made') visitList(node.values, visit, 'argument');
  else if (node.kind === 'change') {
    for (const [index, value] of node.values.entries()) {
      const name = node.names[index] ?? '';
      visit(value, name === '' ? 'part' : 'property', name);
    }
  } else if (node.kind === 'view') visit(node.buffer, 'part', 'buffer');
  else if (node.kind === 'member') {
    visit(node.owner, 'class', 'class');
    if (isNode(node.key)) visit(node.key, 'key', symbolName(node.key));
  }
}

function visitList(values: readonly Value[], visit: VisitEdge, what: string): void {
  const role = what === 'Set entry' ? 'entry' : 'part';
  for (let index = 0; index < values.length; index++) visit(values[index], role, `${what} ${index}`);
}

function visitEntry([key, value]: readonly [Value, Value], visit: VisitEdge): void {
  const isName = !isNode(key);
  visit(key, 'key', 'Map key');
  visit(value, 'entry', isName ? `Map entry ${String(key)}` : 'Map entry');
}

function symbolName(node: Node): string {
  if (node.kind === 'symbol') return `[Symbol(${node.description ?? ''})]`;
  return node.kind === 'intrinsic' ? `[${node.expression}]` : '[symbol]';
}
