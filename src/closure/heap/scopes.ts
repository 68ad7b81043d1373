/** One scope of a function: the variables that V8 keeps for closures, with their values at the time of reading. */
export interface Scope {
  readonly type: 'block' | 'closure' | 'catch' | 'with' | 'module' | 'script' | 'global' | 'other';
  /** V8's words for it, for example `Closure (makeCounter)`. */
  readonly description: string;
  /** A copy of the variables; a variable that can't be read is an accessor that throws. */
  readonly variables: object;
}

/** The value of a variable; undefined if it was never initialised, which V8 tells by an error from Node 22 on. */
export function readVariable({ variables }: Pick<Scope, 'variables'>, name: string): unknown {
  try {
    return Reflect.get(variables, name);
  } catch {
    return undefined;
  }
}

/** The same without running a getter, which the object of a `with` may have. */
export function peekVariable({ variables }: Pick<Scope, 'variables'>, name: string): unknown {
  try {
    return Object.getOwnPropertyDescriptor(variables, name)?.value;
  } catch {
    return undefined;
  }
}

/** Whether V8 throws at a look at a variable; a getter is not run for it. */
export function isUnreadable(scope: Scope | undefined, name: string): boolean {
  try {
    Object.getOwnPropertyDescriptor(scope?.variables ?? {}, name);
    return false;
  } catch {
    return true;
  }
}
