import type { Role } from '../graph/edges.ts';
import type { ModuleNode, Node, Value } from '../graph/nodes.ts';
import { isNode } from '../graph/nodes.ts';

/** Returns a value's type in a word or two. */
export function typeOf(value: Value): string {
  if (!isNode(value)) return value === null ? 'null' : typeof value === 'string' ? `string(${value.length})` : typeof value;
  if (value.kind === 'function') return value.syntax.kind === 'class' ? `class ${value.name}` : 'function';
  if (value.kind === 'view') return `${value.type}(${value.length})`;
  if (value.kind === 'array') return `array(${value.length})`;
  if (value.kind === 'object') return instanceName(value) ?? `object(${(value.values ?? value.properties).length})`;
  if (value.kind === 'map' || value.kind === 'set') return `${value.kind}(${value.entries.length})`;
  if (value.kind === 'call') return 'reduced';
  if (value.kind === 'change') return 'change of a package';
  if (value.kind === 'made') return madeName(value.maker);
  if (value.kind === 'buffer') return 'ArrayBuffer';
  if (value.kind === 'bound') return 'bound function';
  if (value.kind === 'member') return memberName(value.owner, value.key);
  if (value.kind === 'module') return `import of ${moduleName(value)}`;
  return value.kind === 'intrinsic' ? value.expression : value.kind;
}

/** Returns the class name of an instance, if its class belongs to the user or a package. */
function instanceName({ prototype }: Node): string | undefined {
  if (!isNode(prototype)) return undefined;
  if (prototype.kind === 'member' && isNode(prototype.owner)) {
    const { owner } = prototype;
    return owner.kind === 'function' ? owner.name : owner.kind === 'module' ? owner.member.at(-1) : undefined;
  }
  return prototype.kind === 'module' ? prototype.member.at(-2) : undefined;
}

const madeName = (maker: string): string => /([\w.]+)\)?$/.exec(maker)?.[1] ?? 'object';

function memberName(owner: Value, key: string | Node): string {
  const of = isNode(owner) && owner.kind === 'function' ? ` of ${owner.name}` : '';
  return key === 'prototype' ? `prototype${of}` : `method${of}`;
}

function moduleName({ source, member }: ModuleNode): string {
  const suffix = member.map((key) => `.${key}`).join('');
  if (source.type === 'builtin') return source.name + suffix;
  const path = source.type === 'import' ? source.specifier : source.file;
  return (path.split('node_modules/').at(-1) ?? path) + suffix;
}

/** Why a value that no text names was captured. */
const reasons: Record<Role, string> = {
  variable: 'a variable',
  property: 'a property',
  getter: 'an accessor',
  element: 'an element',
  entry: 'an entry',
  'private field': 'a private field',
  prototype: 'prototype',
  superclass: 'superclass',
  class: 'its class',
  module: 'loaded inside the function',
  key: 'a key',
  part: 'a part',
};

export function reasonOf(role: Role, holder: Node, name: string): string {
  if (role === 'prototype') return holder.kind === 'function' ? 'superclass' : 'prototype of an instance';
  if (role === 'part' && (holder.kind === 'bound' || holder.kind === 'call')) return name;
  return reasons[role];
}
