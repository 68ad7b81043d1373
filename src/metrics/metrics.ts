import { obtain } from '../util/obtain.ts';
import { ApplicationMetrics, ModelMetrics } from './counted.ts';

/** What the server counts. Names and labels are listed in docs/03-serving.md. */
export class Metrics {
  readonly applications = new Map<string, ApplicationMetrics>();
  readonly models = new Map<string, ModelMetrics>();
  /** Asked when somebody looks. */
  cacheSize: () => { readonly bytes: number; readonly entries: number } = () => ({ bytes: 0, entries: 0 });

  application(name: string): ApplicationMetrics {
    return obtain(this.applications, name, () => new ApplicationMetrics());
  }

  /** By `name:version`. */
  model(key: string): ModelMetrics {
    return obtain(this.models, key, () => new ModelMetrics());
  }
}
