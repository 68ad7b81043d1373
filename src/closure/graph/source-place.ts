/** A place in a script; 0 is the first line and column. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A place in a file of the user's. */
export interface Original extends Place {
  /** Absolute, as a URL. */
  readonly source: string;
}

export interface FunctionOrigin {
  /** Where the character at an offset of the function's text stood in the user's file. */
  original(offset: number): Original | undefined;
}
