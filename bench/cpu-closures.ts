// Closures that keep a processor busy for some milliseconds, each over state that it captures.

const size = 120;
const left = Float64Array.from({ length: size * size }, (_, index) => (index % 7) - 3);
const right = Float64Array.from({ length: size * size }, (_, index) => (index % 11) - 5);
const product = new Float64Array(size * size);

function matrixProduct(): number {
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      let sum = 0;
      for (let inner = 0; inner < size; inner++) {
        sum += (left[row * size + inner] as number) * (right[inner * size + column] as number);
      }
      product[row * size + column] = sum;
    }
  }
  return product.reduce((sum, each) => sum + each, 0);
}

interface Tree {
  readonly feature: number;
  readonly threshold: number;
  readonly low?: Tree;
  readonly high?: Tree;
  readonly value: number;
}

function grow(depth: number, seed: number): Tree {
  const next = (seed * 16_807) % 2_147_483_647;
  const [feature, threshold, value] = [next % 8, (next % 100) / 100, next % 10];
  if (depth === 0) return { feature, threshold, value };
  return { feature, threshold, value, low: grow(depth - 1, next), high: grow(depth - 1, next + 1) };
}
const forest = Array.from({ length: 50 }, (_, index) => grow(8, index + 1));
const inputs = Array.from({ length: 200 }, (_, row) =>
  Float64Array.from({ length: 8 }, (_, column) => ((row * 31 + column * 17) % 100) / 100),
);

const vote = (tree: Tree, input: Float64Array): number => {
  let at = tree;
  while (at.low !== undefined && at.high !== undefined) at = (input[at.feature] as number) < at.threshold ? at.low : at.high;
  return at.value;
};
const treeEnsemble = (): number =>
  inputs.reduce((total, input) => total + forest.reduce((sum, tree) => sum + vote(tree, input), 0) / forest.length, 0);

const text = 'let total = price * (1 + rate); // with tax\n'.repeat(400);
const kinds = new Map([
  ['let', 1],
  ['total', 2],
  ['price', 3],
  ['rate', 5],
]);

function tokenizer(): number {
  let found = 0;
  for (let at = 0; at < text.length; ) {
    const code = text.charCodeAt(at);
    let end = at + 1;
    if (code >= 97 && code <= 122) {
      while (end < text.length && text.charCodeAt(end) >= 97 && text.charCodeAt(end) <= 122) end++;
      found += kinds.get(text.slice(at, end)) ?? 7;
    } else found += code % 3;
    at = end;
  }
  return found;
}

abstract class Shape {
  static made = 0;
  #scale: number;
  constructor(scale: number) {
    this.#scale = scale;
    Shape.made++;
  }
  abstract area(): number;
  scaled(): number {
    return this.area() * this.#scale;
  }
}
class Rectangle extends Shape {
  readonly width: number;
  readonly height: number;
  constructor(width: number, height: number) {
    super(2);
    this.width = width;
    this.height = height;
  }
  area(): number {
    return this.width * this.height;
  }
}
class Circle extends Shape {
  readonly radius: number;
  constructor(radius: number) {
    super(3);
    this.radius = radius;
  }
  area(): number {
    return 3 * this.radius ** 2;
  }
}
const shapes: readonly Shape[] = Array.from({ length: 300 }, (_, index) =>
  index % 2 === 0 ? new Rectangle(index, 2) : new Circle(index % 10),
);

function classHeavy(): number {
  let sum = 0;
  for (let round = 0; round < 100; round++) {
    for (const shape of shapes) sum += shape.scaled();
    sum += new Rectangle(round, 2).scaled() + new Circle(round % 5).scaled();
  }
  return sum;
}

const weights = Array.from({ length: 1_000 }, (_, index) => Math.sin(index));
const bias = 0.25;
function numericLoop(): number {
  let sum = 0;
  for (let round = 0; round < 1_000; round++) {
    for (let index = 0; index < weights.length; index++) sum += (weights[index] as number) * round + bias;
  }
  return Math.round(sum * 1_000);
}

const adders = Array.from({ length: 100 }, (_, index) => (value: number) => value + index * bias);
const callsOfClosures = (): number => {
  let value = 0;
  for (let round = 0; round < 5_000; round++) for (const add of adders) value = add(value) % 1_000;
  return value;
};

export const closures: Readonly<Record<string, () => number>> = {
  'matrix product': matrixProduct,
  'tree ensemble': treeEnsemble,
  'string tokenizer': tokenizer,
  'class-heavy code': classHeavy,
  'numeric loop over captured arrays': numericLoop,
  'calls of captured closures': callsOfClosures,
};
