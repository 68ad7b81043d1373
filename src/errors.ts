const table = {
  E_INVALID_OPTION: { status: 400, retryable: false },
  E_INVALID_INPUT: { status: 400, retryable: false },
  E_MALFORMED_JSON: { status: 400, retryable: false },
  E_BODY_TOO_LARGE: { status: 413, retryable: false },
  E_UNAUTHORIZED: { status: 401, retryable: false },
  E_FORBIDDEN: { status: 403, retryable: false },
  E_UNKNOWN_APPLICATION: { status: 404, retryable: false },
  E_UNKNOWN_MODEL: { status: 404, retryable: false },
  E_UNKNOWN_VERSION: { status: 400, retryable: false },
  E_UNKNOWN_QUERY: { status: 404, retryable: false },
  E_UNKNOWN_PATH: { status: 404, retryable: false },
  E_APPLICATION_EXISTS: { status: 409, retryable: false },
  E_MODEL_EXISTS: { status: 409, retryable: false },
  E_LINK_REFUSED: { status: 409, retryable: false },
  E_INPUT_TYPE_MISMATCH: { status: 409, retryable: false },
  E_NOT_CAPTURABLE: { status: 400, retryable: false },
  E_BUNDLE_FAILED: { status: 500, retryable: false },
  E_IMAGE_FAILED: { status: 500, retryable: false },
  E_IMAGE_NOT_FOUND: { status: 404, retryable: false },
  E_REGISTRY_FAILED: { status: 502, retryable: true },
  E_DOCKER_UNAVAILABLE: { status: 503, retryable: true },
  E_DOCKER_REFUSED: { status: 500, retryable: false },
  E_CLUSTER_EXISTS: { status: 409, retryable: false },
  E_PORT_IN_USE: { status: 500, retryable: true },
  E_SERVER_EXITED: { status: 500, retryable: false },
  E_SERVER_UNREACHABLE: { status: 503, retryable: true },
  E_REMOTE_BUNDLE: { status: 400, retryable: false },
  E_REPLICA_EXITED: { status: 500, retryable: false },
  E_REPLICA_NOT_READY: { status: 504, retryable: true },
  E_REPLICA_LOST: { status: 503, retryable: true },
  E_SAMPLE_FAILED: { status: 400, retryable: false },
  E_REFUSED: { status: 400, retryable: false },
  E_PROTOCOL: { status: 400, retryable: false },
  E_CANCELLED: { status: 499, retryable: true },
  E_STORE_FAILED: { status: 503, retryable: true },
  E_UNSUPPORTED_RUNTIME: { status: 500, retryable: false },
  E_INTERNAL: { status: 500, retryable: false },
} as const;

/** A code from the table in docs/errors.md. */
export type ErrorCode = keyof typeof table;
/** All codes. */
export const errorCodes = Object.keys(table) as readonly ErrorCode[];

const brand = Symbol.for('clipper-ts.error');

export interface ClipperErrorOptions extends ErrorOptions {
  /** The next step, as an order: `install npm`. */
  readonly fix?: string | undefined;
}

/** Every error that clipper-ts throws on purpose. `code` is from the table in docs/errors.md. */
export class ClipperError extends Error {
  readonly code: ErrorCode;
  readonly #summary: string;
  readonly #fix: string | undefined;

  /** The fix, if any, becomes the last line of the error's `message`. */
  constructor(code: ErrorCode, summary: string, { fix, ...options }: ClipperErrorOptions = {}) {
    super(fix === undefined ? summary : `${summary.replace(/\.$/, '')}.\n  Fix: ${fix}`, options);
    this.name = 'ClipperError';
    this.code = code;
    this.#summary = summary;
    this.#fix = fix;
  }

  /** The message without the fix. */
  get summary(): string {
    return this.#summary;
  }

  /** How to fix it, if known. */
  get fix(): string | undefined {
    return this.#fix;
  }

  // On the prototype, so that it isn't printed with every error.
  get [brand](): true {
    return true;
  }

  /** The HTTP status of this error. */
  get status(): number {
    return table[this.code].status;
  }

  /** Whether the same call may succeed later. */
  get retryable(): boolean {
    return table[this.code].retryable;
  }
}

/** Recognises our errors across copies of the package, vm contexts and the wire. */
export const isClipperError = (value: unknown): value is ClipperError =>
  typeof value === 'object' && value !== null && brand in value;

/** An error of ours by its message, whose last line may be a fix. */
export function errorOfMessage(code: ErrorCode, message: string): ClipperError {
  const [summary = '', fix] = message.split('.\n  Fix: ');
  return new ClipperError(code, summary, { fix });
}

/** Converts anything thrown to our error. Other errors get the given code. */
export const asClipperError = (error: unknown, code: ErrorCode): ClipperError =>
  isClipperError(error) ? error : new ClipperError(code, messageOf(error), { cause: error });

/** Whether a value is one of our codes. For errors that arrive as JSON. */
export const isErrorCode = (text: unknown): text is ErrorCode => typeof text === 'string' && Object.hasOwn(table, text);

/** The message of anything thrown, even in another realm. */
export function messageOf(error: unknown): string {
  const { message } = (error ?? {}) as { message?: unknown };
  return typeof message === 'string' ? message : String(error);
}
