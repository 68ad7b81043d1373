import { asClass, asFunction, asValue, createContainer, InjectionMode } from 'awilix';
class Service {
  factor: number;
  constructor({ factor }: { factor: number }) {
    this.factor = factor;
  }
  run(x: number) {
    return x * this.factor;
  }
}
const make = () => {
  const container = createContainer({ injectionMode: InjectionMode.PROXY });
  container.register({
    factor: asValue(3),
    service: asClass(Service).singleton(),
    name: asFunction(({ factor }: any) => `x${factor}`),
  });
  return { container };
};
const { container } = make();
export const inputs = ['2'];
export const predictOne = (s: string) => [container.resolve<Service>('service').run(Number(s)), container.resolve('name')];
export const fixed = {
  setup: make,
  predictOne: (s: string, { container }: ReturnType<typeof make>) => [
    container.resolve<Service>('service').run(Number(s)),
    container.resolve('name'),
  ],
};
