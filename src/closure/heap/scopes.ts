/** One scope of a function: the variables that V8 keeps for closures, with their values at the time of reading. */
export interface Scope {
  readonly type: 'block' | 'closure' | 'catch' | 'with' | 'module' | 'script' | 'global' | 'other';
  /** V8's description, for example `Closure (makeCounter)`. */
  readonly description: string;
  /** A copy of the variables. A variable that can't be read is an accessor that throws. */
  readonly variables: object;
}

/** Reads a variable. Returns undefined if it was never initialized; as of Node 22, V8 throws for such a variable. */
export function readVariable({ variables }: Pick<Scope, 'variables'>, name: string): unknown {
  try {
    return Reflect.get(variables, name);
  } catch {
    return undefined;
  }
}

/** Like `readVariable`, but doesn't run a getter, which the object of a `with` statement may have. */
export function peekVariable({ variables }: Pick<Scope, 'variables'>, name: string): unknown {
  try {
    return Object.getOwnPropertyDescriptor(variables, name)?.value;
  } catch {
    return undefined;
  }
}

/** Whether V8 throws when a variable is looked at. Doesn't run a getter. */
export function isUnreadable(scope: Scope | undefined, name: string): boolean {
  try {
    Object.getOwnPropertyDescriptor(scope?.variables ?? {}, name);
    return false;
  } catch {
    return true;
  }
}
