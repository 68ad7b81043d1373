import type { FunctionNode, Value } from '../graph/nodes.ts';
import type { Edit } from './edit.ts';
import type { Helpers } from './helpers.ts';

/** The edits in the text of a class, besides names. `hosted`: functions to be made inside it. */
export function classEdits(
  node: FunctionNode,
  { helpers, print, hosted }: { helpers: Helpers; print: (value: Value) => string; hosted: readonly string[] },
): Edit[] {
  const parts = node.syntax.class;
  if (parts === undefined) return [];
  const { heritage, statics, privateStatics, computedKeys } = parts;
  return [
    ...(heritage === undefined ? [] : [{ ...heritage, text: `(${print(node.heritage)})` }]),
    // A semicolon, since the member before may have relied on its line end.
    ...[...statics, ...privateStatics].map(({ start, end }) => ({ start, end, text: ';' })),
    ...computedKeys.map(({ start, end }) => {
      // A member that was taken off the class since has no key that anyone could know.
      const key = node.computedKeys.get(start);
      return { start, end, text: key === undefined ? 'Symbol()' : print(key) };
    }),
    ...insideEdits(node, helpers, hosted),
  ];
}

/** A static block that exposes what only the inside of the class can reach, and lets instances be made empty. */
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
