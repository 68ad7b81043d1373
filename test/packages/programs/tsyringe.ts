import 'reflect-metadata';
import { container, inject, injectable } from 'tsyringe';
@injectable()
class Service {
  constructor(@inject('Clock') readonly clock: { now(): number }) {}
  run(s: string) {
    return `${s}${this.clock.now()}`;
  }
}
container.register('Clock', { useValue: { now: () => 7 } });
container.registerSingleton('Service', Service);
export const inputs = ['a'];
export const predictOne = (s: string) => [container.resolve<Service>('Service').run(s), container.isRegistered('x')];
