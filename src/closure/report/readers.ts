import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CapturedClosure } from '../graph/closure.ts';
import type { Binding, Capture, FunctionNode, Node } from '../graph/nodes.ts';
import type { NameUse } from '../syntax/syntax.ts';

/** Finds the functions that use a value, and where in their texts they use it. */
export class Readers {
  readonly #byBinding = new Map<Binding | Capture, FunctionNode[]>();
  readonly #projectDir: string;

  constructor({ functions, projectDir }: CapturedClosure) {
    this.#projectDir = projectDir;
    for (const fn of functions) {
      for (const capture of fn.captures.values()) {
        const key = capture.binding ?? capture;
        const known = this.#byBinding.get(key);
        if (known === undefined) this.#byBinding.set(key, [fn]);
        else known.push(fn);
      }
    }
  }

  /** Returns, for example, `src/app.ts:12`. Undefined for code that isn't from a file. */
  placeOf({ origin }: FunctionNode, offset: number): string | undefined {
    const original = origin?.original(offset);
    if (original === undefined) return undefined;
    const file = original.source.startsWith('file:') ? fileURLToPath(original.source) : original.source;
    const inProject = relative(this.#projectDir, file);
    return `${inProject.startsWith('..') ? file : inProject}:${original.line + 1}`;
  }

  /** Returns, for example, `used by predict at src/app.ts:12 and 1 more`. */
  usersOf(fn: FunctionNode, name: string): string {
    const more = this.#usersOf(fn, name).length - 1;
    const offset = name === 'this' ? fn.syntax.outerThis[0]?.start : usesOf(fn, name)[0]?.start;
    const others = more === 0 ? '' : ` and ${more} more`;
    return `used by ${this.#nameAt(fn, offset ?? 0)}${others}`;
  }

  /**
   * Returns, for example, `read by predict at src/app.ts:12`, if a function that uses the variable reads this member by name.
   */
  readersOf(fn: FunctionNode, name: string, key: string): string | undefined {
    for (const user of this.#usersOf(fn, name)) {
      const use = usesOf(user, name).find((each) => fixedKey(user.syntax.text, endOf(each, name))?.key === key);
      if (use !== undefined) return `read by ${this.#nameAt(user, use.start)}`;
    }
    return undefined;
  }

  /** Returns the members of a variable that are read. `keys` is undefined if the variable may have other uses. */
  fixedKeys(fn: Node, name: string): { functions: readonly FunctionNode[]; keys: ReadonlySet<string> | undefined } {
    const functions = fn.kind === 'function' ? this.#usersOf(fn, name) : [];
    const keys = new Set<string>();
    for (const user of functions) {
      const uses = usesOf(user, name);
      const written = user.syntax.freeNames.get(name)?.written === true;
      for (const use of uses) {
        const found = fixedKey(user.syntax.text, endOf(use, name));
        if (found === undefined || found.isCalled) return { functions, keys: undefined };
        keys.add(found.key);
      }
      if (uses.length === 0 || written || user.syntax.usesEval) return { functions, keys: undefined };
    }
    return { functions, keys };
  }

  #usersOf(fn: FunctionNode, name: string): readonly FunctionNode[] {
    const capture = fn.captures.get(name);
    return (capture === undefined ? undefined : this.#byBinding.get(capture.binding ?? capture)) ?? [fn];
  }

  #nameAt(fn: FunctionNode, offset: number): string {
    const place = this.placeOf(fn, offset);
    return `${fn.name === '' ? 'a function' : fn.name}${place === undefined ? '' : ` at ${place}`}`;
  }
}

/** Returns the uses of a variable in a text. For a namespace member such as `state.count`, these are the uses that read it. */
function usesOf({ syntax }: FunctionNode, name: string): readonly NameUse[] {
  const [first = '', member] = name.split('.');
  const uses = syntax.freeNames.get(first)?.uses ?? [];
  return member === undefined ? uses : uses.filter((use) => use.member?.key === member);
}

const endOf = (use: NameUse, name: string): number => (name.includes('.') ? (use.member?.end ?? use.end) : use.end);

const index = /\s*(?:\?\.)?\s*\[\s*(?:(\d+)|'([^'\\]*)'|"([^"\\]*)")\s*\]/y;
const member = /\s*\??\.\s*([\p{L}_$][\p{L}\d_$]*)/uy;
const call = /\s*(?:\?\.\s*)?[(`]/y;

/** Returns the key of the member that a text reads at an offset, if the key is written literally. */
function fixedKey(text: string, offset: number): { readonly key: string; readonly isCalled: boolean } | undefined {
  for (const pattern of [index, member]) {
    pattern.lastIndex = offset;
    const found = pattern.exec(text);
    const key = found?.slice(1).find((each) => each !== undefined);
    if (key === undefined) continue;
    call.lastIndex = pattern.lastIndex;
    return { key, isCalled: call.test(text) };
  }
  return undefined;
}
