/** A zero-based position in a script. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A position in one of the user's files. */
export interface Original extends Place {
  /** An absolute URL. */
  readonly source: string;
}

export interface FunctionOrigin {
  /** Maps an offset in the function's text to its position in the user's file. */
  original(offset: number): Original | undefined;
}
