/** How to recreate an instance: the replica calls `rebuild(...args)` and uses the result as the instance. */
// biome-ignore lint/suspicious/noExplicitAny: the arguments of every function are accepted
export type Reduced<T = unknown> = readonly [rebuild: (...args: any[]) => T, ...args: unknown[]];

interface KnownReducer {
  /** The files that define the class. */
  readonly files: RegExp;
  /**
   * `loaded` returns the exports of the loaded CommonJS modules whose file matches. `file` is the file that defines the class.
   */
  reduce(instance: never, loaded: (file: RegExp | string) => readonly unknown[], file: string): Reduced;
}

interface Tensor {
  readonly shape: readonly number[];
  readonly dtype: string;
  dataSync(): ArrayLike<unknown>;
}

interface Variable extends Tensor {
  readonly trainable: boolean;
  readonly name: string;
}

interface TensorFlow {
  tensor(values: ArrayLike<unknown>, shape: readonly number[], dtype: string): Tensor;
  variable(initial: Tensor, trainable: boolean, name: string, dtype: string): Variable;
}

const tensorFlow = /[\\/]@tensorflow[\\/]tfjs/;
/** Packages that register a backend when they load. Nothing refers to them. */
const backends = /[\\/]@tensorflow[\\/]tfjs(-backend-\w+)?[\\/]dist[\\/][^\\/]+$/;

const makeTensor = (tf: TensorFlow, values: ArrayLike<unknown>, shape: readonly number[], dtype: string): Tensor =>
  tf.tensor(values, shape, dtype);

const makeVariable = (
  tf: TensorFlow,
  tensor: readonly [ArrayLike<unknown>, readonly number[], string],
  [trainable, name]: readonly [boolean, string],
): Variable => tf.variable(tf.tensor(...tensor), trainable, name, tensor[2]);

/** Reducers of well-known packages, by class name, for classes whose instances are only keys to state kept elsewhere. */
export const knownReducers: ReadonlyMap<string, KnownReducer> = new Map<string, KnownReducer>([
  [
    'Tensor',
    {
      files: tensorFlow,
      reduce: (tensor: Tensor, loaded, file) => {
        const { shape, dtype } = tensor;
        return [makeTensor, loaded(file)[0], tensor.dataSync(), shape, dtype, loaded(backends)];
      },
    },
  ],
  [
    'Variable',
    {
      files: tensorFlow,
      reduce: (variable: Variable, loaded, file) => {
        const { shape, dtype, trainable, name } = variable;
        return [makeVariable, loaded(file)[0], [variable.dataSync(), shape, dtype], [trainable, name], loaded(backends)];
      },
    },
  ],
]);
