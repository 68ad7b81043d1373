import type { FunctionNode, Value } from '../graph/nodes.ts';
import type { Edit } from './edit.ts';
import type { Helpers } from './helpers.ts';

/** Returns the edits to a class's text, except renames. `hosted`: functions to create inside the class. */
export function classEdits(
  node: FunctionNode,
  { helpers, print, hosted }: { helpers: Helpers; print: (value: Value) => string; hosted: readonly string[] },
): Edit[] {
  const parts = node.syntax.class;
  if (parts === undefined) return [];
  const { heritage, statics, privateStatics, computedKeys } = parts;
  return [
    ...(heritage === undefined ? [] : [{ ...heritage, text: `(${print(node.heritage)})` }]),
    // The semicolon ends the previous member, which may have relied on the line break.
    ...[...statics, ...privateStatics].map(({ start, end }) => ({ start, end, text: ';' })),
    ...computedKeys.map(({ start, end }) => {
      // A member that was deleted from the class has no known key.
      const key = node.computedKeys.get(start);
      return { start, end, text: key === undefined ? 'Symbol()' : print(key) };
    }),
    ...insideEdits(node, helpers, hosted),
  ];
}

/**
 * Returns edits that add a static block, which exposes what only the class's inside can reach, and that make instances
 * restorable.
 */
function insideEdits(node: FunctionNode, helpers: Helpers, hosted: readonly string[]): Edit[] {
  const { syntax, inside } = node;
  const parts = syntax.class;
  if (parts === undefined) return [];
  const setters = [...inside.slots].map((name) => `"${name}": (object, value) => { object.${name} = value; }`);
  const slots = setters.length === 0 ? [] : [`${helpers.slotsOf(node)} = { ${setters.join(', ')} };`];
  const block = [...slots, ...hosted];
  const edits: Edit[] = block.length === 0 ? [] : [insertion(parts.bodyStart, ` static { ${block.join(' ')} }`)];
  if (!inside.restores) return edits;
  const { restoring } = helpers.restorer;
  for (const { start, end } of parts.initialisers) {
    edits.push(insertion(start, `(${restoring} ? void 0 : (`), insertion(end, '))'));
  }
  if (parts.constructorStart !== undefined) {
    const leave = parts.isDerived ? '{ super(); return; }' : 'return;';
    edits.push(insertion(parts.constructorStart, ` if (${restoring}) ${leave}`));
  }
  return edits;
}

const insertion = (at: number, text: string): Edit => ({ start: at, end: at, text });
