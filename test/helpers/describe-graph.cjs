const { types } = require('node:util');

/** Describes a graph of values as text: two graphs have the same text where no program could tell them apart. */
exports.describeGraph = function describeGraph(root) {
  const numbers = new Map();
  const lines = [];
  const pending = [];
  const name = (value) => {
    if (typeof value === 'symbol') return String(value);
    if (typeof value === 'bigint') return `${value}n`;
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null) {
      return Object.is(value, -0) ? '-0' : typeof value === 'string' ? JSON.stringify(value) : String(value);
    }
    if (!numbers.has(value)) {
      numbers.set(value, numbers.size);
      pending.push(value);
    }
    return `#${numbers.get(value)}`;
  };
  name(root);
  for (let index = 0; index < pending.length; index++) {
    const value = pending[index];
    const prototype = Object.getPrototypeOf(value);
    const kind = prototype === null ? 'null' : (prototype.constructor?.name ?? '?');
    const parts = [`#${index} ${kind} ${Object.isFrozen(value) ? 'frozen' : ''}`];
    if (kind === 'Map') for (const [key, each] of value) parts.push(`${name(key)}=>${name(each)}`);
    if (kind === 'Set') for (const each of value) parts.push(name(each));
    if (kind === 'Keeper') for (const each of value.kept) parts.push(name(each));
    if (kind === 'Date') parts.push(String(value.getTime()));
    if (typeof value === 'function') parts.push(String(value()), String(value()), value.name);
    for (const key of Reflect.ownKeys(value)) {
      if (typeof value === 'function' && (key === 'length' || key === 'name' || key === 'prototype')) continue;
      // That of an error is an accessor from Node 22 on.
      if (key === 'stack' && types.isNativeError(value)) {
        parts.push(`stack:${name(value.stack)}`);
        continue;
      }
      const { value: held, writable, enumerable, configurable } = Object.getOwnPropertyDescriptor(value, key);
      parts.push(
        `${JSON.stringify(String(key))}:${name(held)}${writable ? 'w' : ''}${enumerable ? 'e' : ''}${configurable ? 'c' : ''}`,
      );
    }
    lines.push(parts.join(' '));
  }
  return lines.join('\n');
};
