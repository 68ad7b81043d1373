import 'reflect-metadata';
import { Container, inject, injectable } from 'inversify';
@injectable()
class Clock {
  now() {
    return 7;
  }
}
@injectable()
class Service {
  constructor(@inject(Clock) readonly clock: Clock) {}
  run(s: string) {
    return `${s}${this.clock.now()}`;
  }
}
const make = () => {
  const container = new Container();
  container.bind(Clock).toSelf();
  container.bind(Service).toSelf();
  return { container };
};
const { container } = make();
export const inputs = ['a'];
export const predictOne = (s: string) => container.get(Service).run(s);
export const fixed = {
  setup: make,
  predictOne: (s: string, { container }: ReturnType<typeof make>) => container.get(Service).run(s),
};
